import Basics
import OTLP

extension RawSpan {
    /// Whether a span's name says only how something was called, as `GET`, `HTTP POST` or `request` do; a path says more,
    /// whatever its words are.
    func isPlainName(_ range: Range<Int>) -> Bool {
        guard range.count <= plainNameMax else { return false }
        guard !range.dropLast().contains(where: { byte(at: $0) == UInt8(ascii: "/") }) else { return false }
        let words = text(range).lowercased().split { !($0.isLetter || $0.isNumber) }
        return !words.isEmpty && words.allSatisfy(plainWords.contains)
    }

    /// Whether one of a name's words is `word`, in lower case, alone or as a part of a name like `generateTitle`.
    func hasWord(_ word: StaticString, in range: Range<Int>) -> Bool {
        let size = word.utf8CodeUnitCount
        guard range.count >= size, range.count <= wordedNameMax else { return false }
        return (range.lowerBound...range.upperBound - size).contains { start in
            let found = start..<start + size
            guard equalsIgnoringCase(word, found) else { return false }
            let isBegun =
                start == range.lowerBound || !byte(at: start - 1).isLetter
                || byte(at: start).isUpper && !byte(at: start - 1).isUpper
            let isEnded =
                found.upperBound == range.upperBound || !byte(at: found.upperBound).isLetter
                || byte(at: found.upperBound).isUpper
            return isBegun && isEnded
        }
    }

    private func equalsIgnoringCase(_ word: StaticString, _ range: Range<Int>) -> Bool {
        word.withUTF8Buffer { letters in
            let letters = unsafe letters.span
            guard letters[0] == byte(at: range.lowerBound) | 0x20 else { return false }
            return letters.indices.allSatisfy { letters[$0] == byte(at: range.lowerBound + $0) | 0x20 }
        }
    }
}

extension UInt8 {
    fileprivate var isUpper: Bool { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") }
    fileprivate var isLetter: Bool { (self | 0x20) >= UInt8(ascii: "a") && (self | 0x20) <= UInt8(ascii: "z") }
}

/// Bytes of a name that may consist of plain words only.
private let plainNameMax = 64
/// Bytes of a name in which words are looked for.
private let wordedNameMax = 256

private let plainWords: Set<Substring> = [
    "http", "https", "get", "post", "put", "patch", "delete", "head", "options", "trace", "connect", "request",
    "response",
    "rpc", "grpc", "server", "client", "handler", "middleware", "send", "receive", "publish", "process", "consume",
    "message", "tcp", "tls", "dns", "lookup", "socket", "call", "main",
]
