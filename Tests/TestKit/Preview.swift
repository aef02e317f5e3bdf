import Basics

/// What MLflow's list shows of a root's inputs or outputs, worked out as MLflow 3.17.2 does when it stores OTLP spans
/// (`mlflow/tracing/utils/truncation.py`, `sanitize_attributes`).
package enum Preview {
    /// Characters that MLflow keeps.
    private static let charactersMax = 1000

    /// The preview of one side as it is stored.
    ///
    /// - Parameters:
    ///   - attribute: The attribute's value as JSON.
    ///   - role: `user` for inputs, `assistant` for outputs.
    /// - Returns: At most so many characters.
    package static func text(of attribute: String, role: String) -> String {
        var json = attribute
        var node = parsed(json)
        // MLflow takes one layer off what was encoded twice.
        if let inner = node?.string, let below = parsed(inner), below.isContainerOrString {
            (json, node) = (inner, below)
        }
        let messages = node.flatMap(messages) ?? []
        let message = messages.last { $0["role"]?.string == role } ?? messages.last
        let content = message.map(text(of:)) ?? ""
        let whole = content.isEmpty ? json : content
        return whole.unicodeScalars.count <= charactersMax ? whole : String(whole.prefix(charactersMax - 3)) + "..."
    }

    /// What a person reads: a lone text is stored in the quotes of JSON.
    package static func shown(_ preview: String?) -> String? { preview.map { parsed($0)?.string ?? $0 } }

    private static func messages(_ node: JSONNode) -> [JSONNode]? {
        if let list = node["messages"]?.elements, !list.isEmpty { return list.filter(isMessage) }
        if let message = node["choices"]?.elements?.first?["message"], isMessage(message) { return [message] }
        for name in ["input", "output"] {
            if let list = node[name]?.elements, !list.isEmpty { return list.filter(isMessage) }
        }
        return node["request"].flatMap(messages)
    }

    private static func isMessage(_ node: JSONNode) -> Bool { node["role"] != nil && node["content"] != nil }

    private static func text(of message: JSONNode) -> String {
        for part in message["content"]?.elements ?? [] {
            if let text = part.string { return text }
            if ["text", "output_text"].contains(part["type"]?.string) { return part["text"]?.string ?? "" }
        }
        return message["content"]?.string ?? ""
    }

    private static func parsed(_ json: String) -> JSONNode? { try? JSONNode(parsing: Array(json.utf8)) }
}

extension JSONNode {
    fileprivate var isContainerOrString: Bool {
        switch value {
        case .object, .array, .string: true
        case .number, .bool, .null: false
        }
    }
}
