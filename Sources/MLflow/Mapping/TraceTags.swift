import Basics
import OTLP

/// Makes tags of attributes for one trace, each key once.
struct TraceTags {
    /// What MLflow's own keys begin with.
    private static let reserved = "mlflow."
    /// Unicode scalars of a key and of a value, at most.
    private static let keyMax = 250
    private static let valueMax = 4096
    /// Tags of one trace, at most.
    private static let countMax = 100
    /// Bytes of a text that is a list of tags, at most; a longer one is none.
    private static let listMax = 64 << 10

    /// Keys that tags must not have: of the resource, which MLflow makes tags itself, and of the root's own tags.
    private let resourceKeys: Set<String>
    private let rootKeys: Set<String>
    private var keys: Set<String> = []

    init(resourceKeys: Set<String>, rootKeys: Set<String>) {
        self.resourceKeys = resourceKeys
        self.rootKeys = rootKeys
    }

    /// Whether there are as many as a trace may have.
    var isFull: Bool { keys.count >= Self.countMax }

    /// Whether a tag of that key is there already.
    func isTaken(_ key: String) -> Bool {
        resourceKeys.contains(key) || rootKeys.contains(key) || keys.contains(key)
    }

    /// Whether an attribute's key may be that of a tag, of which none is longer.
    static func isShort(_ key: Range<Int>) -> Bool { key.count <= 4 * keyMax }

    /// The tags that one attribute is, up to as many as a trace may have: each item of a list is one of its own, each member
    /// of an object too, but those that frameworks keep for themselves.
    ///
    /// With `isList` a plain text is a list with commas.
    mutating func tags(
        _ name: String,
        _ tape: borrowing ContentTape,
        _ node: Int,
        isList isTextList: Bool,
        _ bytes: RawSpan
    ) -> [(String, String)] {
        if isTextList, tape.isText(node) {
            guard tape.nodes[node].range.count <= Self.listMax else { return [] }
            var tags: [(String, String)] = []
            for item in tape.text(of: node, bytes).split(separator: ",") where !isFull {
                if let tag = tag(item.trimmingBlanks, "true") { tags.append(tag) }
            }
            return tags
        }
        guard tape.nodes[node].kind == .array || tape.nodes[node].kind == .object else {
            return [tag(name, tape.text(of: node, bytes))].compactMap { $0 }
        }
        let isList = tape.nodes[node].kind == .array
        var tags: [(String, String)] = []
        var child = node + 1
        while child < tape.nodes[node].next, !isFull {
            let value = isList ? child : child + 1
            let text = isList ? "true" : tape.text(of: value, bytes)
            let key = tape.text(of: child, bytes)
            child = tape.nodes[value].next
            if !isList, Self.listKeys.contains(key), tape.nodes[value].kind == .array {
                for label in tape.elements(of: value) where !isFull && tape.isText(label) {
                    if let tag = tag(tape.text(of: label, bytes), "true") { tags.append(tag) }
                }
            } else if isList || !Self.isInternal(key), let tag = tag(key, text) {
                tags.append(tag)
            }
        }
        return tags
    }

    /// Whether a member of metadata is what a framework notes for itself, which would only crowd out a team's own.
    private static func isInternal(_ key: String) -> Bool {
        internalKeys.contains(key) || internalPrefixes.contains { key.hasPrefix($0) }
    }

    /// Members of metadata that are lists of tags.
    private static let listKeys: Set<String> = ["labels", "tags"]
    private static let internalKeys: Set<String> = [
        "versions", "checkpoint_ns", "runtime", "sdk", "session_id", "thread_id", "conversation_id", "user_id",
    ]
    private static let internalPrefixes = ["LANGSMITH_", "langgraph_", "__", "lc_", "ls_"]

    private mutating func tag(_ name: String, _ value: String) -> (String, String)? {
        var key = String.UnicodeScalarView()
        for letter in name.unicodeScalars.prefix(Self.keyMax) { key.append(Self.isAllowed(letter) ? letter : "_") }
        let text = String(key)
        guard !text.isEmpty, !value.isEmpty, !text.hasPrefix(Self.reserved), !isFull, !isTaken(text) else { return nil }
        keys.insert(text)
        return (text, String(value.unicodeScalars.prefix(Self.valueMax)))
    }

    /// What MLflow takes in keys.
    private static func isAllowed(_ letter: Unicode.Scalar) -> Bool {
        switch letter.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber, .otherNumber:
            true
        default: "_-. :/".unicodeScalars.contains(letter)
        }
    }
}

extension Substring {
    /// Without the blanks around it.
    fileprivate var trimmingBlanks: String {
        let start = drop { $0 == " " }
        return String(start.reversed().drop { $0 == " " }.reversed())
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
