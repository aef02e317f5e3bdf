import Basics
import Settings

/// Replaces `${env:NAME}`, `${env:NAME:-default}`, `${file:path}` and `$$` in the strings of a document.
///
/// A variable that is not set or empty takes its default; without a default, only one that is not set is an error. A file's
/// last line break is left out, so that secrets written by an editor work. A lone `$` stands for itself.
struct Substitution {
    static let forms = "${env:NAME}, ${env:NAME:-default}, ${file:path}, and $$ for a dollar sign"

    let environment: Environment
    /// The strings that hold a file's content, by their offsets, as functions that read them again.
    private(set) var files: [Int: @Sendable () -> String?] = [:]
    /// Whether the string at hand holds a file's content.
    private var holdsFile = false

    init(environment: Environment) {
        self.environment = environment
    }

    /// The document with its strings replaced; what could not be replaced is reported and left empty.
    mutating func apply(to node: JSONNode, _ context: inout DecodeContext) -> JSONNode {
        switch node.value {
        case .object(let members):
            let members = members.map { member in
                let node = context.within(member.name) { context in apply(to: member.node, &context) }
                return JSONNode.Member(name: member.name, nameOffset: member.nameOffset, node: node)
            }
            return JSONNode(.object(members), offset: node.offset)
        case .array(let elements):
            let elements = elements.enumerated().map { index, element in
                context.within("\(index)") { context in apply(to: element, &context) }
            }
            return JSONNode(.array(elements), offset: node.offset)
        case .string(let text) where text.contains("$"):
            holdsFile = false
            let expanded = expand(text, at: node.offset, &context)
            if holdsFile { files[node.offset] = rereading(text) }
            return JSONNode(.string(expanded), offset: node.offset)
        case .string, .number, .bool, .null:
            return node
        }
    }

    /// Reads a string again that holds a file's content; gives nil where that is not possible any more.
    private func rereading(_ text: String) -> @Sendable () -> String? {
        let environment = environment.withoutPipes
        return {
            var again = Substitution(environment: environment)
            var context = DecodeContext()
            let expanded = again.expand(text, at: 0, &context)
            return context.problems.isEmpty ? expanded : nil
        }
    }

    private mutating func expand(_ text: String, at offset: Int, _ context: inout DecodeContext) -> String {
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...].dropFirst()
            if rest.first == "$" {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}") else {
                    context.report("\"${\" is not closed; allowed: \(Self.forms)", at: offset)
                    return result
                }
                result += value(of: rest[..<end].dropFirst(), at: offset, &context)
                rest = rest[end...].dropFirst()
            } else {
                result += "$"
            }
        }
        return result + rest
    }

    private mutating func value(of reference: Substring, at offset: Int, _ context: inout DecodeContext) -> String {
        if reference.hasPrefix("env:") {
            return variable(reference.dropFirst(4), at: offset, &context)
        }
        if reference.hasPrefix("file:") {
            holdsFile = true
            return content(of: String(reference.dropFirst(5)), at: offset, &context)
        }
        context.report("\(quoted("${\(reference)}")) is not known; allowed: \(Self.forms)", at: offset)
        return ""
    }

    private func variable(_ reference: Substring, at offset: Int, _ context: inout DecodeContext) -> String {
        let separator = reference.firstRange(of: ":-")
        let name = String(reference[..<(separator?.lowerBound ?? reference.endIndex)])
        let value = environment.variable(name)
        if let separator {
            return value.flatMap { $0.isEmpty ? nil : $0 } ?? String(reference[separator.upperBound...])
        }
        if value == nil {
            let fix = "set it, or give a default: ${env:\(name):-default}"
            context.report("the environment variable \(quoted(name)) is not set; \(fix)", at: offset)
        }
        return value ?? ""
    }

    private func content(of path: String, at offset: Int, _ context: inout DecodeContext) -> String {
        switch environment.file(path) {
        case .success(let bytes):
            guard bytes.span.bytes.isValidUTF8 else {
                context.report("the file \(quoted(path)) is not UTF-8 text", at: offset)
                return ""
            }
            let text = String(decoding: bytes, as: UTF8.self)
            return text.last?.isNewline == true ? String(text.dropLast()) : text
        case .failure(let error):
            context.report("the file \(quoted(path)) cannot be read: \(error.reason)", at: offset)
            return ""
        }
    }
}
