import Basics
import Settings

/// The text that a pipeline file was read from, for messages about it and for comparing it with another one.
package struct PipelineFileSource: Sendable {
    private let text: SourceText
    private let root: JSONNode
    /// SHA-256 of the text in hexadecimal, as `sha256sum` prints it; empty where there was no text.
    package let digest: String

    init(text: SourceText = SourceText(name: "", bytes: []), root: JSONNode = JSONNode(.null), digest: String = "") {
        self.text = text
        self.root = root
        self.digest = digest
    }

    /// Says something about the setting at a path, as `validate` does; where the file leaves it out, at the last step that it has.
    func line(at path: [String], _ message: String) -> String {
        var node = root
        for step in path {
            guard let next = node[step] ?? Int(step).flatMap({ node.element($0) }) else { break }
            node = next
        }
        let pointer = path.map(\.pointerStep).joined()
        return text.line(for: Problem(offset: node.offset, pointer: pointer, message: message))
    }

    /// Whether another file says the same at a path, values of variables and files included.
    func says(theSameAs other: PipelineFileSource, at path: String...) -> Bool {
        let (own, others) = (value(at: path), other.value(at: path))
        guard let own, let others else { return own == nil && others == nil }
        return own.hasSameValue(as: others)
    }

    private func value(at path: [String]) -> JSONNode? {
        path.reduce(root as JSONNode?) { node, step in node?[step] }
    }
}

extension JSONNode {
    /// The element at an index; nil where there is none.
    fileprivate func element(_ index: Int) -> JSONNode? {
        guard let elements, elements.indices.contains(index) else { return nil }
        return elements[index]
    }
}
