import Basics
import MLflow

/// What is known while one pipeline file is read: where the reader stands, and every problem so far.
struct Reading {
    /// Offsets of strings that hold a file's content.
    var hidden: Set<Int> = []
    private(set) var problems: [Problem] = []
    private var path: [String] = []

    /// Does something one or more levels deeper.
    mutating func within<Result>(_ names: String..., body: (inout Reading) -> Result) -> Result {
        path += names
        defer { path.removeLast(names.count) }
        return body(&self)
    }

    /// Notes a problem at a byte offset, under the place the reader stands at.
    mutating func report(_ message: String, at offset: Int, as severity: Problem.Severity = .error) {
        let problem = Problem(severity: severity, offset: offset, pointer: Self.pointer(path), message: message)
        if !problems.contains(problem) { problems.append(problem) }
    }

    private static func pointer(_ path: [String]) -> String {
        path.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
    }

    /// Notes a problem of a document that another module read, below the place the reader stands at.
    mutating func report(_ problem: DocumentProblem) {
        let deeper = problem.pointer.split(separator: "/").map { name in
            String(name).replacing("~1", with: "/").replacing("~0", with: "~")
        }
        path += deeper
        defer { path.removeLast(deeper.count) }
        report(problem.message, at: problem.offset)
    }

    /// Notes that a value is none of what is allowed, unless something was found wrong with it before.
    mutating func refuse(_ node: JSONNode, allowed: String, isSecret: Bool = false, instead: String? = nil) {
        guard !problems.contains(where: { $0.offset == node.offset && $0.severity == .error }) else { return }
        let hint = instead.map { "; did you mean \(quoted($0))?" } ?? ""
        report("found \(node.shown(hidden: isSecret || isHidden(node))); allowed: \(allowed)\(hint)", at: node.offset)
    }

    /// Notes that a name is none of the known ones.
    mutating func refuse(unknown name: String, at offset: Int, allowed: [String], what: String) {
        let list = allowed.isEmpty ? "none" : allowed.joined(separator: ", ")
        let hint = nearest(to: name, among: allowed).map { "; did you mean \(quoted($0))?" } ?? ""
        report("\(what); allowed: \(list)\(hint)", at: offset)
    }

    /// Whether something is wrong in the value of that name or deeper.
    func hasError(in name: String) -> Bool {
        let start = Self.pointer(path + [name])
        return problems.contains { $0.severity == .error && ($0.pointer + "/").hasPrefix(start + "/") }
    }

    /// Whether the value must not be shown because a file gave it.
    func isHidden(_ node: JSONNode) -> Bool { hidden.contains(node.offset) }
}

/// What stands for a secret wherever a value is shown.
let mask = "***"

/// The text in quotes, escaped so that it stays on one line, cut where it is long.
func quoted(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text.count > 80 ? text.prefix(80) + "…" : text)
    return writer.text
}

extension JSONNode {
    /// The value as messages show it.
    func shown(hidden: Bool) -> String {
        switch value {
        case .object: "an object"
        case .array: "an array"
        case .null: "null"
        case .bool(let value): "\(value)"
        case .number(let digits): hidden ? "a number" : "the number \(digits)"
        case .string(let text): hidden ? mask : quoted(withoutCredentials(text))
        }
    }
}

/// The text with `***` in place of the user and password of a URL.
func withoutCredentials(_ text: String) -> String {
    guard let scheme = text.firstRange(of: "://") else { return text }
    let authority = text[scheme.upperBound...].prefix { !"/?#".contains($0) }
    guard let at = authority.lastIndex(of: "@") else { return text }
    return "\(text[..<scheme.upperBound])\(mask)\(text[at...])"
}
