/// Alphabets of tokens, as bits.
struct ByteClass: OptionSet, Sendable {
    let rawValue: UInt16

    init(rawValue: UInt16) { self.rawValue = rawValue }

    static let digit = ByteClass(rawValue: 1)
    static let upper = ByteClass(rawValue: 1 << 1)
    static let lower = ByteClass(rawValue: 1 << 2)
    static let underscore = ByteClass(rawValue: 1 << 3)
    static let hyphen = ByteClass(rawValue: 1 << 4)
    /// `+` and `/`.
    static let base64Signs = ByteClass(rawValue: 1 << 5)
    static let equals = ByteClass(rawValue: 1 << 6)
    static let dot = ByteClass(rawValue: 1 << 7)
    /// `a` to `f` of either case.
    static let hexLetter = ByteClass(rawValue: 1 << 8)
    /// 2 to 7.
    static let base32Digit = ByteClass(rawValue: 1 << 9)
    /// What ends a value that stands in no quotes, and quotes.
    static let valueEnd = ByteClass(rawValue: 1 << 10)
    static let space = ByteClass(rawValue: 1 << 11)
    /// Signs that an e-mail address may have before `@`.
    static let mailSign = ByteClass(rawValue: 1 << 12)
    static let tilde = ByteClass(rawValue: 1 << 13)
    static let other = ByteClass(rawValue: 1 << 14)
    /// What may stand around a name or a value: quotes, the backslash before one, stars and underscores of markdown.
    static let wrapper = ByteClass(rawValue: 1 << 15)

    static let letter: ByteClass = [.upper, .lower]
    static let alphanumeric: ByteClass = [.digit, .upper, .lower]
    static let word: ByteClass = [.alphanumeric, .underscore, .hyphen]
    static let hex: ByteClass = [.digit, .hexLetter]
    static let base64: ByteClass = [.alphanumeric, .base64Signs]
    static let base32: ByteClass = [.upper, .base32Digit]
    static let name: ByteClass = [.word, .dot]
    static let mail: ByteClass = [.word, .dot, .mailSign]

    /// By byte.
    private static let table: [ByteClass] = (0..<256).map { byte in
        let isWrapper = Array("\"'`\\*_".utf8).contains(UInt8(byte))
        return ByteClass(of: UInt8(byte)).union(isWrapper ? .wrapper : [])
    }

    /// Everything that a byte is.
    @inline(__always) static func of(_ byte: UInt8) -> ByteClass { table[Int(byte)] }

    private init(of byte: UInt8) {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            self = (UInt8(ascii: "2")...UInt8(ascii: "7")).contains(byte) ? [.digit, .base32Digit] : .digit
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self = [.upper, .hexLetter]
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self = [.lower, .hexLetter]
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): self = .upper
        case UInt8(ascii: "a")...UInt8(ascii: "z"): self = .lower
        case UInt8(ascii: "_"): self = .underscore
        case UInt8(ascii: "-"): self = .hyphen
        case UInt8(ascii: "+"): self = [.base64Signs, .mailSign]
        case UInt8(ascii: "/"): self = .base64Signs
        case UInt8(ascii: "="): self = .equals
        case UInt8(ascii: "."): self = .dot
        case UInt8(ascii: "~"): self = .tilde
        case UInt8(ascii: "%"): self = .mailSign
        case 0x80...: self = .other
        case UInt8(ascii: "'"): self = [.valueEnd]
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
            self = [.space, .valueEnd]
        case 0..<0x20, 0x7F: self = .valueEnd
        default: self = Array("\"`,;()[]{}<>&|\\".utf8).contains(byte) ? .valueEnd : .other
        }
    }
}
