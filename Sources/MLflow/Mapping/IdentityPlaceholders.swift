import Basics
import OTLP

/// What emitters write where they know no session or user: it names nobody, and would join traces that have nothing in common.
enum IdentityPlaceholders {
    private static let words = KeyTable([
        "none", "None", "null", "NULL", "undefined", "unknown", "Unknown", "N/A", "n/a",
    ])
    /// Bytes of one of these, at most.
    private static let wordMax = 9
    /// Bytes of one in brackets, at most.
    private static let bracketedMax = 64

    /// Whether a text names no session, as `[no_session_id]` does.
    static func isNoSession(_ text: Range<Int>, _ bytes: RawSpan) -> Bool {
        isNobody(text, bytes) || text.count == wordMax && bytes.equals("anonymous", text)
    }

    /// Whether a text names no user; somebody anonymous is one.
    static func isNobody(_ text: Range<Int>, _ bytes: RawSpan) -> Bool {
        guard let first = text.first, text.count <= bracketedMax else { return false }
        guard bytes.byte(at: first) == UInt8(ascii: "[") else {
            return text.count <= wordMax && words.find(bytes, text) != nil
        }
        return bytes.begins(text, with: "[no_") && bytes.byte(at: text.upperBound - 1) == UInt8(ascii: "]")
    }
}
