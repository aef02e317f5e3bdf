import Basics

/// Names whose values are secrets.
enum SecretNames {
    /// What a name says of its value.
    enum Kind: Sendable {
        /// The header `Authorization`: a scheme and what follows it.
        case authorization
        /// What people choose and remember: shorter, and less random.
        case password
        case secret
    }

    private static let words: [(letters: [UInt8], kind: Kind)] = [
        (["authorization"], Kind.authorization),
        (["password", "passwords", "passwd", "pwd", "passphrase", "passcode"], .password),
        (
            [
                "secret", "token", "apikey", "accesskey", "secretkey", "privatekey", "authkey", "accountkey",
                "signingkey", "encryptionkey", "credential", "credentials", "secrets", "apikeys", "accesskeys",
                "secretkeys", "privatekeys", "accesstokens", "refreshtokens", "authtokens", "apitokens",
            ], .secret
        ),
    ].flatMap { words, kind in words.map { (letters: Array($0.utf8.reversed()), kind: kind) } }
    /// The same by the lower five bits of their last letter: few names share that with any.
    private static let byLast = (0..<32).map { bits in words.filter { $0.letters[0] & 31 == UInt8(bits) } }

    /// Letters that one of them ends with.
    static func isLast(_ byte: UInt8) -> Bool {
        switch byte | 0x20 {
        case UInt8(ascii: "d"), UInt8(ascii: "e"), UInt8(ascii: "t"), UInt8(ascii: "n"), UInt8(ascii: "y"),
            UInt8(ascii: "l"), UInt8(ascii: "s"):
            true
        default: false
        }
    }

    /// What the name in `range` says, by the word that it ends in, whatever its case and the signs between words; nil for
    /// any other name.
    static func kind(_ text: RawSpan, _ range: Range<Int>) -> Kind? {
        guard let last = range.last, isLast(text.byte(at: last)) else { return nil }
        for word in byLast[Int(text.byte(at: last) & 31)] where ends(text, range, with: word.letters) {
            return word.kind
        }
        return isPass(text, range) ? .password : nil
    }

    /// Whether the last word is `pass`, as in `SMTP_PASS` and `dbPass`; `bypass` and `compass` are other words.
    private static func isPass(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        let first = range.upperBound - 4
        guard first >= range.lowerBound, has("pass", text, at: first, to: range.upperBound) else { return false }
        if first == range.lowerBound { return true }
        let (letter, before) = (ByteClass.of(text.byte(at: first)), ByteClass.of(text.byte(at: first - 1)))
        return before.isDisjoint(with: .alphanumeric) || letter.contains(.upper) && before.contains(.lower)
    }

    /// Whether the name in `range` says anything of its value.
    static func say(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        kind(text, range) != nil || isNational(text, range)
    }

    /// Whether the name in `range` may be that of a national number.
    static func isNational(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        range.contains { offset in
            switch text.byte(at: offset) | 0x20 {
            case UInt8(ascii: "n"): has("nhs", text, at: offset, to: range.upperBound)
            case UInt8(ascii: "p"): has("pesel", text, at: offset, to: range.upperBound)
            case UInt8(ascii: "a"): has("aadh", text, at: offset, to: range.upperBound)
            default: false
            }
        }
    }

    /// Whether a word in lower case stands at `offset`, in whatever case.
    static func has(_ word: StaticString, _ text: RawSpan, at offset: Int, to end: Int) -> Bool {
        guard offset + word.utf8CodeUnitCount <= end else { return false }
        return word.withUTF8Buffer { letters in
            letters.indices.allSatisfy { unsafe text.byte(at: offset + $0) | 0x20 == letters[$0] }
        }
    }

    private static func ends(_ text: RawSpan, _ range: Range<Int>, with word: [UInt8]) -> Bool {
        var offset = range.upperBound
        for letter in word {
            repeat {
                offset -= 1
            } while offset >= range.lowerBound
                && !ByteClass.of(text.byte(at: offset)).isDisjoint(
                    with: [.underscore, .hyphen, .dot, .space]
                )
            guard offset >= range.lowerBound, text.byte(at: offset) | 0x20 == letter else { return false }
        }
        return true
    }
}
