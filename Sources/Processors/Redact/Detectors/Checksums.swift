import Basics
import Glibc

/// Check digits and codes that tell what is meant from what looks like it.
enum Checksums {
    /// Luhn (ISO/IEC 7812-1) over decimal digits.
    static func isLuhn(_ digits: [UInt8]) -> Bool {
        var sum = 0
        for (index, digit) in digits.reversed().enumerated() {
            let value = Int(digit) << (index & 1)
            sum += value > 9 ? value - 9 : value
        }
        return sum % 10 == 0
    }

    /// First digits and lengths of cards that are issued: Visa, Mastercard, American Express, Diners Club, Discover, JCB,
    /// UnionPay.
    private static let issuers: [(prefixes: ClosedRange<Int>, digits: Int, lengths: Set<Int>)] = [
        (4...4, 1, [16, 19]), (51...55, 2, [16]), (2221...2720, 4, [16]), (34...34, 2, [15]), (37...37, 2, [15]),
        (300...305, 3, [14]), (36...36, 2, [14]), (38...39, 2, [14]), (6011...6011, 4, [16, 19]),
        (644...659, 3, [16, 19]),
        (3528...3589, 4, [16, 19]), (62...62, 2, [16, 17, 18, 19]),
    ]

    /// Whether digits are of a card that can have been issued.
    static func isCard(_ digits: [UInt8]) -> Bool {
        guard (14...19).contains(digits.count), Set(digits).count > 1 else { return false }
        let isIssued = issuers.contains { prefixes, count, lengths in
            lengths.contains(digits.count) && prefixes.contains(digits.prefix(count).reduce(0) { $0 * 10 + Int($1) })
        }
        return isIssued && isLuhn(digits)
    }

    /// How long an IBAN is, by country (SWIFT's IBAN registry).
    private static let ibanLengths: [String: Int] = [
        "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
        "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
        "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
        "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
        "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
        "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
        "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
        "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
        "YE": 30,
    ]

    /// How long the IBAN of a country is; nil for none.
    static func ibanLength(_ first: UInt8, _ second: UInt8) -> Int? {
        ibanLengths[String(decoding: [first, second], as: UTF8.self)]
    }

    /// Whether the letters of an IBAN leave the remainder 1 (ISO/IEC 7064, MOD 97-10).
    static func isIBAN(_ letters: [UInt8]) -> Bool {
        var remainder = 0
        for letter in letters[4...] + letters[..<4] {
            if letter.isDigit {
                remainder = (remainder * 10 + Int(letter - UInt8(ascii: "0"))) % 97
            } else {
                remainder = (remainder * 100 + Int(letter - UInt8(ascii: "A")) + 10) % 97
            }
        }
        return remainder == 1
    }

    /// Whether ten digits are an NHS number.
    static func isNHS(_ digits: [UInt8]) -> Bool {
        guard digits.count == 10 else { return false }
        let sum = digits[..<9].enumerated().reduce(0) { $0 + Int($1.element) * (10 - $1.offset) }
        return (11 - sum % 11) % 11 == Int(digits[9])
    }

    /// Whether eleven digits are a PESEL.
    static func isPESEL(_ digits: [UInt8]) -> Bool {
        guard digits.count == 11 else { return false }
        let weights = [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]
        let sum = zip(digits, weights).reduce(0) { $0 + Int($1.0) * $1.1 }
        let month = (Int(digits[2]) * 10 + Int(digits[3])) % 20
        return (10 - sum % 10) % 10 == Int(digits[10]) && (1...12).contains(month)
    }

    /// Whether twelve digits are an Aadhaar number (Verhoeff).
    static func isAadhaar(_ digits: [UInt8]) -> Bool {
        guard digits.count == 12, digits[0] >= 2 else { return false }
        var check = 0
        for (index, digit) in digits.reversed().enumerated() {
            check = multiplied(check, permuted(Int(digit), index % 8))
        }
        return check == 0
    }

    /// Multiplication in the dihedral group of ten elements.
    private static func multiplied(_ left: Int, _ right: Int) -> Int {
        switch (left < 5, right < 5) {
        case (true, true): (left + right) % 5
        case (true, false): (left + right - 5) % 5 + 5
        case (false, true): (left - 5 - right + 5) % 5 + 5
        case (false, false): (left - right + 5) % 5
        }
    }

    private static func permuted(_ digit: Int, _ times: Int) -> Int {
        let once = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
        return (0..<times).reduce(digit) { value, _ in once[value] }
    }

    /// Whether the last six of 36 letters are the CRC-32 of the others in base 62, digits first, then large letters.
    static func isGitHub(_ text: RawSpan, _ body: Range<Int>) -> Bool {
        guard body.count == 36 else { return false }
        var crc: UInt32 = .max
        for offset in body.prefix(30) {
            crc ^= UInt32(text.byte(at: offset))
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        var rest = Int(~crc)
        let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        for offset in body.suffix(6).reversed() {
            guard text.byte(at: offset) == alphabet[rest % 62] else { return false }
            rest /= 62
        }
        return rest == 0
    }
}

/// How random a text is.
enum Entropy {
    /// What bytes have that are all different, in bits a byte.
    static func most(_ count: Int) -> Double { log2(Double(count)) }

    /// Shannon's entropy of the bytes, in bits a byte.
    static func bits(_ text: RawSpan, _ range: Range<Int>) -> Double {
        var counts = [Int](repeating: 0, count: 256)
        for offset in range { counts[Int(text.byte(at: offset))] += 1 }
        let total = Double(range.count)
        return counts.reduce(0) { sum, count in
            count == 0 ? sum : sum - Double(count) / total * log2(Double(count) / total)
        }
    }
}
