import Basics
import Glibc

/// Where a command writes: results to one, everything else to the other.
enum Output: Int32 {
    case standardOutput = 1
    case standardError = 2

    /// Whether a person sees it as it is written.
    var isTerminal: Bool { isatty(rawValue) == 1 }
}

/// Writes a text without what a terminal would act on, ended by a line break, in one system call where the system takes it whole.
func writeLine(_ text: String, to output: Output) {
    let text = text.withoutControls
    writeWhole(text.hasSuffix("\n") ? text : text + "\n", to: output)
}

/// Writes a text as it stands, in one system call where the system takes it whole.
///
/// - Returns: Whether all of it was taken: a reader that is gone takes nothing any more.
@discardableResult
func writeWhole(_ text: String, to output: Output) -> Bool {
    let bytes = Array(text.utf8)
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes { unsafe write(output.rawValue, $0.baseAddress, $0.count) }
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
    }
    return true
}
