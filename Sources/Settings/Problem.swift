/// Something wrong in a document, and where.
package struct Problem: Equatable, Sendable {
    /// Whether the document can still be used.
    package enum Severity: Sendable {
        case error, warning
    }

    package let severity: Severity
    /// Byte offset into the text.
    package let offset: Int
    /// JSON pointer (RFC 6901); empty for the whole document.
    package internal(set) var pointer: String
    /// What is wrong, what is allowed, and the nearest known name, separated by semicolons.
    ///
    /// Holds no secret.
    package let message: String

    package init(offset: Int, pointer: String, message: String, severity: Severity = .error) {
        self.severity = severity
        self.offset = offset
        self.pointer = pointer
        self.message = message
    }
}

extension String {
    /// The step of a JSON pointer to a member of that name.
    package var pointerStep: String { "/" + replacing("~", with: "~0").replacing("/", with: "~1") }
}

/// Everything wrong in a document that is read by itself, such as a condition or rules, in the order of its text.
package struct DocumentProblems: Error, Equatable, Sendable {
    /// Never empty.
    package let list: [Problem]

    package init(list: [Problem]) {
        self.list = list
    }
}

/// Turns byte offsets of a text into lines and columns.
package struct SourceText: Sendable {
    private let name: String
    private let bytes: [UInt8]

    /// - Parameters:
    ///   - name: What messages call it.
    ///   - bytes: In UTF-8.
    package init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// `FILE:LINE:COLUMN: /json/pointer: message`; lines and columns count from 1, columns in Unicode scalars.
    package func line(for problem: Problem) -> String {
        let (line, column) = position(of: problem.offset)
        let pointer = problem.pointer.isEmpty ? "/" : problem.pointer
        let severity = problem.severity == .warning ? "warning: " : ""
        return "\(name):\(line):\(column): \(pointer): \(severity)\(problem.message)"
    }

    /// Counted from 1, columns in Unicode scalars.
    package func position(of offset: Int) -> (line: Int, column: Int) {
        let before = bytes.prefix(offset)
        let newline = UInt8(ascii: "\n")
        let start = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
        let line = before.count { $0 == newline } + 1
        let isScalarStart = { (byte: UInt8) in byte & 0xC0 != 0x80 }
        return (line, before[start...].count(where: isScalarStart) + 1)
    }
}
