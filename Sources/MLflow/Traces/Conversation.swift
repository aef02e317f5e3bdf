/// What one span says of its conversation, in UTF-8 as it stands in the source.
package struct Conversation: Sendable {
    /// The last thing that the user said.
    package var question: [UInt8]?
    /// The last thing that the assistant said.
    package var answer: [UInt8]?
    /// The arguments of the first tool call of an answer without text.
    package var call: [UInt8]?
    /// A fingerprint of each message of the inputs, system messages left out.
    package var messages: [UInt64] = []
    /// Whether it only finds a title or something to remember, which is no conversation with the user.
    package var isHelper = false

    package init() {}

    /// What the user asked last, where this conversation is the same as an earlier one went on; nil for another one.
    func question(continuing first: Conversation) -> [UInt8]? {
        guard let begun = first.question, let question else { return nil }
        if !first.messages.isEmpty, messages.starts(with: first.messages) { return question }
        return Self.rest(of: question, after: begun, first.answer)
    }

    /// The end of a conversation that is one text, as some recorders join messages.
    private static func rest(of text: [UInt8], after question: [UInt8], _ answer: [UInt8]?) -> [UInt8]? {
        guard text.count > question.count, text.starts(with: question), text[question.count] == newline else {
            return nil
        }
        var rest = text[question.count...].trimmed
        // What else stands behind a question is context that a program added to it; tool calls have no text.
        guard let answer = answer.map({ $0[...].trimmed }), rest.starts(with: answer) else { return question }
        rest = rest[(rest.startIndex + answer.count)...].trimmed
        return rest.isEmpty || rest.elementsEqual("null".utf8) ? question : Array(rest)
    }

    private static let newline = UInt8(ascii: "\n")
}

extension ArraySlice<UInt8> {
    /// Without white space at its ends.
    fileprivate var trimmed: ArraySlice<UInt8> {
        var slice = self
        while let first = slice.first, first <= UInt8(ascii: " ") { slice.removeFirst() }
        while let last = slice.last, last <= UInt8(ascii: " ") { slice.removeLast() }
        return slice
    }
}
