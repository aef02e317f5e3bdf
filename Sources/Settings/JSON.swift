package import Basics

/// A JSON value to be written: schemas, and settings as a file would have them.
///
/// Built by literals; what is read is `JSONNode`, which knows its place.
package enum JSON: Sendable, Equatable {
    case object([Member])
    case array([JSON])
    case text(String)
    /// The digits as they are written.
    case number(String)
    case bool(Bool)
    case null

    /// One member of an object.
    package struct Member: Sendable, Equatable {
        package let name: String
        package let value: JSON

        package init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// A whole number.
    package static func integer(_ value: Int) -> JSON { .number("\(value)") }

    /// A finite number, whole ones without a fraction.
    package static func number(_ value: Double) -> JSON {
        .number(Int(exactly: value).map { "\($0)" } ?? "\(value)")
    }

    /// Words as an array of strings.
    package static func words(_ words: [String]) -> JSON { .array(words.map(JSON.text)) }

    /// What was read, without its places.
    package init(_ node: JSONNode) {
        switch node.value {
        case .object(let members): self = .object(members.map { Member($0.name, JSON($0.node)) })
        case .array(let elements): self = .array(elements.map(JSON.init))
        case .string(let text): self = .text(text)
        case .number(let digits): self = .number(digits)
        case .bool(let value): self = .bool(value)
        case .null: self = .null
        }
    }

    /// An object with the members of another one after its own.
    package func adding(_ other: JSON) -> JSON {
        guard case .object(let own) = self, case .object(let more) = other else { return self }
        return .object(own + more)
    }
}

extension JSON: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral {
    package init(dictionaryLiteral members: (String, JSON)...) {
        self = .object(members.map { Member($0.0, $0.1) })
    }

    package init(arrayLiteral elements: JSON...) {
        self = .array(elements)
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral text: String) {
        self = .text(text)
    }

    package init(booleanLiteral value: Bool) {
        self = .bool(value)
    }
}

extension JSON {
    /// On one line, with a space after each comma and colon.
    package var lineText: String {
        switch self {
        case .object(let members):
            "{" + members.map { JSON.text($0.name).lineText + ": " + $0.value.lineText }.joined(separator: ", ") + "}"
        case .array(let elements): "[" + elements.map(\.lineText).joined(separator: ", ") + "]"
        case .text(let text): escaped(text)
        case .number(let digits): digits
        case .bool(let value): value ? "true" : "false"
        case .null: "null"
        }
    }

    /// Indented by two spaces; what fits on a line of 110 columns stays on one.
    package func indentedText(depth: Int = 0) -> String {
        let line = lineText
        if line.utf8.count + depth * 2 <= 110 { return line }
        let inner = String(repeating: "  ", count: depth + 1)
        let outer = String(repeating: "  ", count: depth)
        switch self {
        case .object(let members):
            let lines = members.map { member in
                inner + escaped(member.name) + ": " + member.value.indentedText(depth: depth + 1)
            }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        case .array(let elements):
            let lines = elements.map { inner + $0.indentedText(depth: depth + 1) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(outer)]"
        case .text, .number, .bool, .null:
            return line
        }
    }

    private func escaped(_ text: String) -> String {
        var writer = JSONWriter()
        writer.string(text)
        return writer.text
    }
}
