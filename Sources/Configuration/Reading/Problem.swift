/// Something wrong in a pipeline file, and where.
package struct Problem: Equatable, Sendable {
    /// Whether the file can still be used.
    package enum Severity: Sendable {
        case error, warning
    }

    package let severity: Severity
    /// Byte offset into the file.
    package let offset: Int
    /// JSON pointer (RFC 6901); empty for the whole document.
    package let pointer: String
    /// What is wrong, what is allowed, and the nearest known name, separated by semicolons.
    ///
    /// Holds no secret.
    package let message: String
}

/// A pipeline file that cannot be used.
package struct PipelineFileError: Error, Sendable {
    /// One line for each problem, warnings included, in the order of the file.
    package let lines: [String]
}

/// Turns byte offsets of a text into lines and columns.
struct SourceText: Sendable {
    let name: String
    let bytes: [UInt8]

    /// `FILE:LINE:COLUMN: /json/pointer: message`; lines and columns count from 1, columns in Unicode scalars.
    func line(for problem: Problem) -> String {
        let (line, column) = position(of: problem.offset)
        let pointer = problem.pointer.isEmpty ? "/" : problem.pointer
        let severity = problem.severity == .warning ? "warning: " : ""
        return "\(name):\(line):\(column): \(pointer): \(severity)\(problem.message)"
    }

    /// Counted from 1, columns in Unicode scalars.
    func position(of offset: Int) -> (line: Int, column: Int) {
        let before = bytes.prefix(offset)
        let newline = UInt8(ascii: "\n")
        let start = before.lastIndex(of: newline).map { $0 + 1 } ?? 0
        let line = before.count { $0 == newline } + 1
        let isScalarStart = { (byte: UInt8) in byte & 0xC0 != 0x80 }
        return (line, before[start...].count(where: isScalarStart) + 1)
    }
}
