import Basics
import Glibc

/// A POSIX extended regular expression (IEEE Std 1003.1, section 9.4), as `grep -E` takes it, found anywhere in a value.
///
/// The C library's matcher works on the bytes of a request without copying, and without backtracking unless the pattern has
/// a back-reference. Letters compare exactly; `.` is one byte.
package final class RegularExpression: @unchecked Sendable {
    // Sendable because a compiled `regex_t` is only read: POSIX lets any number of threads match with it.
    private let compiled: UnsafeMutablePointer<regex_t>

    /// The pattern as it was written.
    package let pattern: String

    /// Compiles a pattern.
    ///
    /// - Throws: What is wrong with it.
    package init(_ pattern: String) throws(PatternError) {
        let memory = UnsafeMutablePointer<regex_t>.allocate(capacity: 1)
        let code = unsafe regcomp(memory, pattern, REG_EXTENDED | REG_NOSUB)
        guard code == 0 else {
            var text = [CChar](repeating: 0, count: 256)
            _ = unsafe regerror(code, memory, &text, text.count)
            unsafe memory.deallocate()
            throw PatternError(reason: String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self))
        }
        self.pattern = pattern
        unsafe compiled = memory
    }

    deinit {
        unsafe regfree(compiled)
        unsafe compiled.deallocate()
    }

    /// Whether the pattern is found in the UTF-8 in `range` of `text`.
    package func matches(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        text.extracting(range).withUnsafeBytes { bytes in
            guard let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else {
                return unsafe regexec(compiled, "", 0, nil, 0) == 0
            }
            var match = regmatch_t(rm_so: 0, rm_eo: regoff_t(truncatingIfNeeded: bytes.count))
            return unsafe regexec(compiled, start, 1, &match, REG_STARTEND) == 0
        }
    }
}

/// Why a pattern cannot be used.
package struct PatternError: Error, Equatable, Sendable {
    /// What the C library says.
    package let reason: String
}
