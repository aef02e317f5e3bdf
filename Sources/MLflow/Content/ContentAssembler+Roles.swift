import Basics
import OTLP

extension ContentAssembler {
    /// Whether the message itself says who speaks.
    mutating func readRole(_ fields: borrowing ContentFields, _ bytes: RawSpan) -> Bool {
        if let node = fields.first(.role) {
            let role = ChatRole(named: tape.nodes[node].range, in: bytes)
            message.role = role ?? message.role
            message.isUnknownRole = role == nil && !tape.isEmpty(node)
            return true
        }
        let name = fields.first(.type).flatMap { fields[.function] == nil ? $0 : nil }
        if let role = name.flatMap({ ChatRole(named: tape.nodes[$0].range, in: bytes) }) {
            message.role = role
            return true
        }
        if let source = speaker(fields, bytes) {
            message.role = source
            return true
        }
        // LangChain's serialised messages have their class as the last part of an id.
        if let id = fields[.id], fields[.kwargs] != nil, let last = tape.elements(of: id).last,
            let role = ChatRole(named: tape.nodes[last].range, in: bytes)
        {
            message.role = role
        }
        return false
    }

    /// Who speaks in a message of AutoGen's, which names its source: the user, else an agent of that name.
    private func speaker(_ fields: borrowing ContentFields, _ bytes: RawSpan) -> ChatRole? {
        guard let source = fields.first(.source), tape.isText(source), fields[.content] != nil,
            let type = fields.first(.type), tape.nodes[type].kind == .text,
            Self.spokenTypes.find(bytes, tape.nodes[type].range) != nil
        else { return nil }
        return ChatRole(named: tape.nodes[source].range, in: bytes) == .user ? .user : .assistant
    }

    /// Types of messages whose source speaks.
    private static let spokenTypes = KeyTable([
        "TextMessage", "MultiModalMessage", "StopMessage", "HandoffMessage", "ToolCallSummaryMessage",
        "StructuredMessage", "ToolCallRequestEvent", "ToolCallExecutionEvent", "ThoughtEvent",
    ])
}
