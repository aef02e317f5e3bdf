import Basics

/// How one kind of setting is written: what is allowed, in words and as JSON Schema, and how it becomes a value.
struct Kind<Value: Sendable>: Sendable {
    /// Ends the sentence "allowed: …".
    let allowed: String
    /// A few words for the reference table, in Markdown.
    let brief: String
    /// JSON Schema of the value.
    let schema: JSON
    /// Whether values are never shown.
    var isSecret = false
    /// Reports what is wrong and returns nil, or returns the value.
    let read: @Sendable (JSONNode, inout Reading) -> Value?
    /// The value as the file would have it, secrets masked.
    let write: @Sendable (Value) -> JSON
}

extension Kind {
    /// A kind of values that are written as strings; `parse` returns nil where the text is none of what is allowed.
    static func parsed(
        _ allowed: String,
        brief: String,
        schema: JSON,
        isSecret: Bool = false,
        parse: @escaping @Sendable (String) -> Value?,
        format: @escaping @Sendable (Value) -> String
    ) -> Kind {
        Kind(
            allowed: allowed,
            brief: brief,
            schema: schema,
            isSecret: isSecret,
            read: { node, reading in
                if let text = node.string, let value = parse(text) { return value }
                reading.refuse(node, allowed: allowed, isSecret: isSecret)
                return nil
            },
            write: { value in .text(isSecret ? mask : withoutCredentials(format(value))) }
        )
    }

    /// The same kind of setting, held as another type; `wrap` returns nil only for what `read` never gives.
    func matched<Other: Sendable>(
        _ wrap: @escaping @Sendable (Value) -> Other?,
        _ unwrap: @escaping @Sendable (Other) -> Value
    ) -> Kind<Other> {
        Kind<Other>(
            allowed: allowed,
            brief: brief,
            schema: schema,
            isSecret: isSecret,
            read: { node, reading in read(node, &reading).flatMap(wrap) },
            write: { value in write(unwrap(value)) }
        )
    }

    /// The same kind of setting where a value may be absent.
    var optional: Kind<Value?> {
        Kind<Value?>(
            allowed: allowed,
            brief: brief,
            schema: schema,
            isSecret: isSecret,
            read: { node, reading in read(node, &reading).map(Optional.some) },
            write: { value in value.map(write) ?? .null }
        )
    }
}
