import Basics

/// Texts that no answer may bring into logs and dead letters: destinations repeat what they were sent.
struct HiddenTexts: Sendable {
    /// Shorter texts would be found where nobody wrote a secret.
    private static let bytesMin = 8

    /// Each text by its characters in UTF-8, because escapes stand for whole characters.
    private let texts: [[Scalar]]

    private struct Scalar: Sendable {
        let bytes: [UInt8]
        let units: [UInt16]

        init(_ scalar: Unicode.Scalar) {
            bytes = Array(String(Character(scalar)).utf8)
            units = Array(String(Character(scalar)).utf16)
        }
    }

    init(_ texts: [String]) {
        self.texts = Set(texts).filter { $0.utf8.count >= Self.bytesMin }.map { $0.unicodeScalars.map(Scalar.init) }
    }

    /// The text with as many asterisks in place of each hidden one, however it is escaped: as JSON, or with `%XX`.
    func mask(_ text: [UInt8]) -> [UInt8] {
        var masked = text
        for hidden in texts {
            guard let first = hidden.first?.bytes.first else { continue }
            var index = 0
            while index < text.count {
                // Answers have up to 4 MiB, of which next to nothing may begin a secret.
                let byte = text[index]
                let mayBegin = byte == first || byte == UInt8(ascii: "\\") || byte == UInt8(ascii: "%")
                if mayBegin, let end = Self.end(of: hidden, in: text, at: index) {
                    for place in index..<end { masked[place] = UInt8(ascii: "*") }
                    index = end
                } else {
                    index += 1
                }
            }
        }
        return masked
    }

    func mask(_ text: String) -> String { String(decoding: mask(Array(text.utf8)), as: UTF8.self) }

    /// Where the hidden text ends that begins there; nil where none does.
    private static func end(of hidden: [Scalar], in text: [UInt8], at start: Int) -> Int? {
        var index = start
        for scalar in hidden {
            guard let count = length(of: scalar, in: text[index...]) else { return nil }
            index += count
        }
        return index
    }

    /// How many bytes stand for a character there; nil where it is another one.
    private static func length(of scalar: Scalar, in text: ArraySlice<UInt8>) -> Int? {
        if text.first == UInt8(ascii: "\\"), text.count > 1 {
            let second = text[text.startIndex + 1]
            if scalar.bytes == [second], second != UInt8(ascii: "u") { return 2 }
            if second == UInt8(ascii: "u"), let count = escaped(scalar.units, in: text, digits: 4, mark: 2) {
                return count
            }
        }
        if text.first == UInt8(ascii: "%"), let count = escaped(scalar.bytes, in: text, digits: 2, mark: 1) {
            return count
        }
        return text.starts(with: scalar.bytes) ? scalar.bytes.count : nil
    }

    /// The length of an escape for each unit, of a mark and hexadecimal digits.
    private static func escaped(
        _ units: [some FixedWidthInteger],
        in text: ArraySlice<UInt8>,
        digits: Int,
        mark: Int
    ) -> Int? {
        var rest = text
        for unit in units {
            guard rest.count >= mark + digits, rest.prefix(mark).elementsEqual(text.prefix(mark)) else { return nil }
            var value = 0
            for digit in rest.dropFirst(mark).prefix(digits) {
                guard let four = digit.hexDigit else { return nil }
                value = value << 4 | Int(four)
            }
            guard value == Int(unit) else { return nil }
            rest = rest.dropFirst(mark + digits)
        }
        return text.count - rest.count
    }
}

extension HTTPResponse {
    /// The same with masks in place of these texts.
    func hiding(_ texts: HiddenTexts) -> HTTPResponse {
        let headers = headers.map { HTTPHeader($0.name, texts.mask($0.value)) }
        return HTTPResponse(status: status, headers: headers, body: texts.mask(body))
    }
}
