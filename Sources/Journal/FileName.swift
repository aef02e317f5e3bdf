/// File names for logs and readers, whatever characters their names have.
enum FileName {
    static let segmentSuffix = ".log"
    static let cursorSuffix = ".cursor"
    /// The folder of a log's dead letters.
    static let deadLetters = "dead-letters"
    /// The folder of what a log's exporters have put aside.
    static let parked = "parked"
    private static let digits = 20

    /// Letters, digits, `-`, `_` and inner dots stay; every other byte becomes `%` and two hexadecimal digits.
    static func escaped(_ name: String) -> String {
        var escaped = ""
        for byte in name.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: ".") where !escaped.isEmpty:
                escaped += "."
            default:
                let hexadecimal = String(byte, radix: 16, uppercase: true)
                escaped += "%" + (hexadecimal.count == 1 ? "0" : "") + hexadecimal
            }
        }
        return escaped
    }

    /// The name that `escaped` was made from.
    static func unescaped(_ escaped: String) -> String {
        let bytes = Array(escaped.utf8)
        var name: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
                let byte = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
            {
                name.append(byte)
                index += 3
            } else {
                name.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: name, as: UTF8.self)
    }

    static func segment(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.count)) + text + segmentSuffix
    }

    /// The number in a segment's file name; nil for any other file.
    static func segmentNumber(_ name: String) -> UInt64? {
        guard name.hasSuffix(segmentSuffix), name.utf8.count == digits + segmentSuffix.utf8.count else { return nil }
        return UInt64(name.dropLast(segmentSuffix.count))
    }

    /// Whether `escaped` makes such names.
    static func isEscaped(_ name: String) -> Bool { escaped(unescaped(name)) == name }

    /// The reader that a cursor file belongs to; nil for any other file.
    static func reader(_ name: String) -> String? {
        guard name.hasSuffix(cursorSuffix), name != cursorSuffix else { return nil }
        return unescaped(String(name.dropLast(cursorSuffix.count)))
    }
}
