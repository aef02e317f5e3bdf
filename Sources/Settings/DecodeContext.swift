package import Basics

/// What is known while one pipeline file is read: where the reader stands, and every problem so far.
package struct DecodeContext: Sendable {
    /// Reads a string again that holds a file's content, by its offset; gives nil where that fails, and blocks for the disk.
    package var files: [Int: @Sendable () -> String?] = [:]
    /// What is wrong, in the order in which it was found.
    package private(set) var problems: [Problem] = []
    private var pointer = ""

    package init() {}

    /// Does something one or more levels deeper.
    package mutating func within<Result>(_ names: String..., body: (inout DecodeContext) -> Result) -> Result {
        let outer = pointer
        for name in names { pointer += name.pointerStep }
        defer { pointer = outer }
        return body(&self)
    }

    /// Notes a problem at a byte offset, under the place the reader stands at.
    package mutating func report(_ message: String, at offset: Int, as severity: Problem.Severity = .error) {
        report(Problem(offset: offset, pointer: "", message: message, severity: severity))
    }

    /// Notes the problems of a document that was read by itself, below the place the reader stands at.
    package mutating func report(_ document: DocumentProblems) {
        for problem in document.list { report(problem) }
    }

    private mutating func report(_ problem: Problem) {
        var problem = problem
        problem.pointer = pointer + problem.pointer
        if !problems.contains(problem) { problems.append(problem) }
    }

    /// Notes that a value is none of what is allowed, unless something was found wrong with it before.
    package mutating func refuse(_ node: JSONNode, allowed: String, isSecret: Bool = false, instead: String? = nil) {
        guard !problems.contains(where: { $0.offset == node.offset && $0.severity == .error }) else { return }
        let hint = instead.map { "; did you mean \(quoted($0))?" } ?? ""
        report("found \(shown(node, isSecret: isSecret)); allowed: \(allowed)\(hint)", at: node.offset)
    }

    /// Notes that a name is none of the known ones.
    package mutating func refuse(unknown name: String, at offset: Int, allowed: [String], what: String) {
        let list = allowed.isEmpty ? "none" : allowed.joined(separator: ", ")
        let hint = nearest(to: name, among: allowed).map { "; did you mean \(quoted($0))?" } ?? ""
        report("\(what); allowed: \(list)\(hint)", at: offset)
    }

    /// Whether something is wrong in the value of that name or deeper.
    package func hasError(in name: String) -> Bool {
        let start = pointer + name.pointerStep
        return problems.contains { $0.severity == .error && ($0.pointer + "/").hasPrefix(start + "/") }
    }

    /// The value as messages show it; one that a file gave is never shown.
    func shown(_ node: JSONNode, isSecret: Bool = false) -> String {
        let isHidden = isSecret || files[node.offset] != nil
        return switch node.value {
        case .object: "an object"
        case .array: "an array"
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let digits): isHidden ? "a number" : "the number \(digits)"
        case .string(let text): isHidden ? mask : quoted(withoutCredentials(text))
        }
    }
}

/// What stands for a secret wherever a value is shown.
package let mask = Secret.mask

/// The text in quotes, escaped so that it stays on one line, cut where it is long.
package func quoted(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text.count > 80 ? text.prefix(80) + "…" : text)
    return writer.text
}

/// The text with `***` in place of the user and password of a URL.
func withoutCredentials(_ text: String) -> String {
    guard let scheme = text.firstRange(of: "://") else { return text }
    let authority = text[scheme.upperBound...].prefix { !"/?#".contains($0) }
    guard let at = authority.lastIndex(of: "@") else { return text }
    return "\(text[..<scheme.upperBound])\(mask)\(text[at...])"
}
