import Basics

/// What comes in the place of what was found.
struct Replacement: Sendable {
    /// A text with `NAME` for what was found.
    let template: String
    /// The key and its name, where what is the same shall stay so.
    let hash: (key: [UInt8], id: String)?

    /// Bytes of a code that are shown: 128 bits.
    private static let codeBytes = 16

    /// The text for a name.
    func text(for name: String) -> [UInt8] { Array(template.replacing("NAME", with: name).utf8) }

    /// The text for a value that was found, with its code: that of the name, a zero byte and the value as it is compared.
    func text(for name: String, value: [UInt8]) -> [UInt8] {
        guard let hash else { return text(for: name) }
        let input = Array(name.utf8) + [0] + normalised(name, value)
        // What cannot be hashed does not stay either.
        guard let code = HMAC.code(input, key: hash.key) else { return text(for: name) }
        return Array("[\(name):\(hash.id):\(Array(code.prefix(Self.codeBytes)).hexadecimal)]".utf8)
    }

    /// What two ways to write the same have in common.
    private func normalised(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
        switch Detector(named: name) {
        case .email: bytes.map { $0.isUpper ? $0 | 0x20 : $0 }
        case .card, .ssn, .phone, .nationalID: bytes.filter(\.isDigit)
        case .iban: bytes.filter { !ByteClass.of($0).isDisjoint(with: .alphanumeric) }
        default: bytes
        }
    }

    /// The bytes of a hit as they were found, without the escapes in which they stand.
    private func content(_ hit: Hit, of text: RawSpan) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(text, hit.range)
        for _ in 0..<hit.escapes {
            var decoded: [UInt8] = []
            Escapes.decode(bytes.span.bytes, 0..<bytes.count, into: &decoded)
            bytes = decoded
        }
        return bytes
    }

    /// Appends what comes in the place of a hit.
    func write(_ hit: Hit, of text: RawSpan, _ names: RedactionLabels, _ texts: [[UInt8]], to output: inout [UInt8]) {
        // A quote inside JSON inside texts has a backslash, that one has another, and so on.
        let backslashes = hit.quotes > 1 ? 1 << (hit.quotes - 1) - 1 : 0
        func quote() {
            guard hit.quotes > 0 else { return }
            output += repeatElement(UInt8(ascii: "\\"), count: backslashes)
            output.append(UInt8(ascii: "\""))
        }
        quote()
        if hit.text >= 0 {
            output += texts[hit.text]
        } else if hit.label == RedactionLabels.budget || hash == nil {
            output += self.text(for: names.names[hit.label])
        } else {
            output += self.text(for: names.names[hit.label], value: content(hit, of: text))
        }
        quote()
    }
}

extension UInt8 {
    fileprivate var isUpper: Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) }
}
