/// What mapping found out about one span, for the processors after it.
package struct MappedSpan: Sendable, Equatable {
    /// Its MLflow span type, such as `CHAT_MODEL`; nil where nothing decided one.
    package var type: String?
    /// All tokens of the model call; nil where none were reported.
    package var tokens: Int64?

    package init(type: String? = nil, tokens: Int64? = nil) {
        self.type = type
        self.tokens = tokens
    }
}
