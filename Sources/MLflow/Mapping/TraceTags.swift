import Basics
import OTLP

/// Makes tags of attributes, each key once.
struct TraceTags {
    /// What MLflow's own keys begin with.
    private static let reserved = "mlflow."
    /// Characters of a key and of a value, at most.
    private static let keyMax = 250
    private static let valueMax = 4096
    /// Tags of one trace, at most.
    private static let countMax = 100

    private var taken: Set<String>
    private var count = 0

    init(taken: Set<String>) {
        self.taken = taken
    }

    /// Whether a tag of that key is there already.
    func isTaken(_ key: String) -> Bool { taken.contains(key) }

    /// The tags that one attribute is: each item of a list is one of its own, each member of an object too.
    mutating func tags(
        _ name: String,
        _ value: Range<Int>,
        _ content: inout ContentAssembler,
        _ bytes: RawSpan
    ) -> [(String, String)] {
        guard let node = content.append(value: value, bytes) else { return [] }
        switch content.tape.nodes[node].kind {
        case .array:
            return content.tape.elements(of: node).compactMap { tag(content.tape.text(of: $0, bytes), "true") }
        case .object:
            return content.tape.values(of: node).compactMap { value in
                tag(content.tape.text(of: value - 1, bytes), content.tape.text(of: value, bytes))
            }
        default: return [tag(name, content.tape.text(of: node, bytes))].compactMap { $0 }
        }
    }

    private mutating func tag(_ name: String, _ value: String) -> (String, String)? {
        let key = String(name.prefix(Self.keyMax).map { Self.isAllowed($0) ? $0 : "_" })
        guard !key.isEmpty, !value.isEmpty, !key.hasPrefix(Self.reserved), count < Self.countMax,
            taken.insert(key).inserted
        else { return nil }
        count += 1
        return (key, String(value.prefix(Self.valueMax)))
    }

    /// What MLflow takes in keys.
    private static func isAllowed(_ letter: Character) -> Bool {
        letter.isLetter || letter.isNumber || "_-. :/".contains(letter)
    }
}

extension ContentTape {
    /// A node as text: text itself, everything else as JSON.
    func text(of node: Int, _ bytes: RawSpan) -> String {
        var text: [UInt8] = []
        appendText(node, to: &text, bytes)
        return String(decoding: text, as: UTF8.self)
    }
}

extension AttributeValue {
    /// Text, or a number as text; nil for anything else and for no text.
    func plainText(in bytes: RawSpan) -> String? {
        switch self {
        case .string(let range): range.isEmpty ? nil : bytes.text(range)
        case .int(let number): "\(number)"
        case .empty, .bool, .double, .bytes, .array, .keyValueList: nil
        }
    }
}
