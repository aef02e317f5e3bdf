import Basics
import CRE2

/// A regular expression in RE2's syntax, found anywhere in a value.
///
/// RE2 reads a value once, front to back, whatever the pattern: about 2 ns a byte where the tables that it builds on the way
/// fit into `memoryMax`, and where they do not, at most a few microseconds a byte, because `sizeMax` bounds what a byte costs
/// then. A condition searches a value once; `firstMatch`, which is called for each match, says what it cost. Letters compare
/// exactly unless the pattern says `(?i)`; `.` is any character, line breaks included; `^` and `$` are the ends of the value. Any
/// number of threads search at once.
package final class RegularExpression: @unchecked Sendable {
    // Sendable because a compiled expression only changes in RE2's tables, which RE2 guards.
    private let compiled: OpaquePointer

    /// The pattern as it was written.
    package let pattern: String

    /// Instructions of RE2's program at most: a letter is one, any character (`.`) eight, and `{20}` repeats what stands
    /// before it twenty times.
    package static let sizeMax = 250
    /// A text whose first search is timed, at least.
    private static let timedMin = 1024
    /// Nanoseconds that RE2 takes for a byte with its tables.
    private static let fast = 2
    /// Nanoseconds for a byte that it never takes with them, once they are built.
    private static let slow = 16
    /// Nanoseconds that building them may take in the first search of a text.
    private static let firstPause = 50_000
    /// The same behind a match.
    private static let pause = 5000
    /// Bytes that one expression takes at most, the tables included that searches build.
    static let memoryMax: Int64 = 1 << 20

    /// Compiles a pattern.
    ///
    /// - Throws: What is wrong with it, in RE2's words, or that it is too large.
    package init(_ pattern: String) throws(PatternError) {
        var reason = [CChar](repeating: 0, count: 256)
        let letters = Array(pattern.utf8).map(CChar.init(bitPattern:))
        let expression = unsafe millrace_expression_new(
            letters,
            letters.count,
            Self.memoryMax,
            &reason,
            reason.count
        )
        guard let expression = unsafe expression else {
            let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw PatternError(reason: text)
        }
        let size = unsafe Int(millrace_expression_size(expression))
        guard (0...Self.sizeMax).contains(size) else {
            unsafe millrace_expression_free(expression)
            let found = size < 0 ? "more" : "\(size)"
            throw PatternError(
                reason: "it takes \(found) instructions, at most \(Self.sizeMax) are allowed: repeat fewer times, or "
                    + "use `any` of several conditions"
            )
        }
        self.pattern = pattern
        unsafe compiled = expression
    }

    deinit {
        unsafe millrace_expression_free(compiled)
    }

    /// Whether the pattern is found in the UTF-8 in `range` of `text`.
    package func matches(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        text.extracting(range).withUnsafeBytes { bytes in
            unsafe millrace_expression_finds(compiled, bytes.baseAddress, bytes.count) != 0
        }
    }

    /// The first match in the UTF-8 in `range` of `text` that begins at `offset` or behind it, leftmost and as RE2 prefers.
    ///
    /// Reads up to the end of the range, wherever the match ends. `cost` grows by the bytes up to there, and where RE2 had no
    /// tables by those that it reads by tables in the same time. It does not say which it was, so that the time tells: of the
    /// first search of a short text it is not worth asking.
    package func firstMatch(
        in text: RawSpan,
        _ range: Range<Int>,
        from offset: Int,
        cost: inout Int
    ) -> Range<Int>? {
        var (first, last, nanoseconds) = (0, 0, Int64(0))
        let isTimed = offset > range.lowerBound || range.count >= Self.timedMin
        let isFound = text.extracting(range).withUnsafeBytes { bytes in
            let start = offset - range.lowerBound
            return unsafe withUnsafeMutablePointer(to: &nanoseconds) { clock in
                unsafe millrace_expression_first(
                    compiled,
                    bytes.baseAddress,
                    bytes.count,
                    start,
                    &first,
                    &last,
                    isTimed ? clock : nil
                ) != 0
            }
        }
        let bytes = range.upperBound - offset
        let time = Int(nanoseconds)
        let usual = Self.slow * bytes + (offset > range.lowerBound ? Self.pause : Self.firstPause)
        cost += time > usual ? time / Self.fast : bytes
        return isFound ? range.lowerBound + first..<range.lowerBound + last : nil
    }
}

/// Why a pattern cannot be used.
package struct PatternError: Error, Equatable, Sendable {
    /// What RE2 says, or how much is allowed.
    package let reason: String
}
