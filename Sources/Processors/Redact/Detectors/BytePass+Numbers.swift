import Basics

extension BytePass {
    /// Everything that begins with a digit, or has its first digit at `position`.
    mutating func number(_ text: RawSpan, at position: Int) {
        let stop = run(text, from: position, of: .digit, max: 40)
        let count = stop &- position
        if count >= 2, isOne(text, position &- 1, of: .upper), isOne(text, position &- 2, of: .upper) {
            return bankAccount(text, at: position &- 2)
        }
        let before = byte(text, position &- 1)
        if before == UInt8(ascii: "%"), finds(.email), has("40", text, at: position) {
            return mail(text, at: position &- 1, width: 3)
        }
        if finds(.phone), before == UInt8(ascii: "+"), !isOne(text, position &- 2, of: .alphanumeric) {
            return phone(text, at: position)
        }
        guard count >= 3 || finds(.ip),
            !isOne(text, position &- 1, of: [.word, .dot]) || isNamedCard(text, at: position)
        else { return }
        if finds(.ip), count <= 3 { networkAddress4(text, at: position) }
        if count == 3, isHyphen(text, at: stop) { socialSecurity(text, at: position) }
        if (3...4).contains(count) || count >= 10 { grouped(text, at: position, first: stop) }
    }

    /// Whether a word that says card stands before the number at `position`, with a sign between them: `card_4…`, not `id_4…`.
    private func isNamedCard(_ text: RawSpan, at position: Int) -> Bool {
        isOne(text, position &- 1, of: [.underscore, .hyphen])
            && Self.cardWords.contains { word in
                let start = position &- 1 &- word.utf8CodeUnitCount
                return hasLetters(word, text, at: start) && !isOne(text, start &- 1, of: .alphanumeric)
            }
    }

    private static let cardWords: [StaticString] = ["card", "visa", "amex", "pan"]

    /// Bytes of a sign between groups at `offset`: a space or a hyphen, also one that does not break (U+00A0, U+202F, U+2011);
    /// 0 for none.
    private func separator(_ text: RawSpan, at offset: Int) -> Int {
        switch byte(text, offset) {
        case UInt8(ascii: " "), UInt8(ascii: "-"): return 1
        case 0xC2: return byte(text, offset &+ 1) == 0xA0 ? 2 : 0
        case 0xE2:
            let last = byte(text, offset &+ 2)
            return byte(text, offset &+ 1) == 0x80 && (last == 0x91 || last == 0xAF) ? 3 : 0
        default: return 0
        }
    }

    private func isHyphen(_ text: RawSpan, at offset: Int) -> Bool {
        byte(text, offset) == UInt8(ascii: "-")
            || separator(text, at: offset) == 3 && byte(text, offset &+ 2) == 0x91
    }

    /// Cards and national ids: digits in one run, or in groups with the same separator between them, once each.
    private mutating func grouped(_ text: RawSpan, at position: Int, first: Int) {
        var digits: [UInt8] = []
        // Where groups end, which are numbers of their own if another one follows: a date, a check digit.
        var ends: [(stop: Int, count: Int)] = []
        var stop = position
        let width = separator(text, at: first)
        let sign = byte(text, first &+ width &- 1)
        let isGrouped = first &- position <= 4
        guard !isGrouped || width > 0 else { return }
        while digits.count < 20 {
            if isOne(text, stop, of: .digit) {
                digits.append(text.byte(at: stop) &- UInt8(ascii: "0"))
                stop &+= 1
                continue
            }
            let next = stop &+ width
            guard isGrouped, separator(text, at: stop) == width, byte(text, next &- 1) == sign,
                isOne(text, next, of: .digit)
            else { break }
            ends.append((stop, digits.count))
            stop = next
        }
        work &+= stop &- position
        // A number with a fraction, a part of an identifier, or one that goes on.
        let isCut =
            isOne(text, stop, of: [.alphanumeric, .underscore])
            || (isOne(text, stop, of: .hyphen) && isOne(text, stop &+ 1, of: .alphanumeric))
            || (isOne(text, stop, of: .dot) && isOne(text, stop &+ 1, of: [.digit, .lower]))
        if !isCut { ends.append((stop, digits.count)) }
        for (stop, count) in ends.reversed() where count >= 10 {
            let digits = Array(digits[..<count])
            let isCard = finds(.card) && (!isGrouped || first &- position == 4) && Checksums.isCard(digits)
            guard isCard || finds(.nationalID) && isNationalID(digits, text, at: position) else { continue }
            add(position..<stop, isCard ? .card : .nationalID)
            resume = stop
            return
        }
    }

    /// Only where the text names the number before it, because one random number in ten or so passes.
    private mutating func isNationalID(_ digits: [UInt8], _ text: RawSpan, at position: Int) -> Bool {
        isNational(digits, named: text, max(start, position &- 40)..<position)
    }

    /// Whether digits are a national number that the bytes of `words` name.
    private mutating func isNational(_ digits: [UInt8], named text: RawSpan, _ words: Range<Int>) -> Bool {
        let names: [StaticString]
        if Checksums.isNHS(digits) {
            names = ["nhs"]
        } else if Checksums.isPESEL(digits) {
            names = ["pesel"]
        } else if Checksums.isAadhaar(digits) {
            names = ["aadhaar", "aadhar"]
        } else {
            return false
        }
        work &+= words.count
        return words.contains { offset in
            names.contains { SecretNames.has($0, text, at: offset, to: words.upperBound) }
        }
    }

    /// A national number that is all of a value, which its name tells.
    mutating func keyedNumber(_ text: RawSpan, _ range: Range<Int>, of name: (text: RawSpan, range: Range<Int>)) {
        guard finds(.nationalID), (10...18).contains(range.count), text.byte(at: range.lowerBound).isDigit,
            text.byte(at: range.upperBound - 1).isDigit, SecretNames.isNational(name.text, name.range)
        else { return }
        var digits: [UInt8] = []
        for offset in range {
            let byte = text.byte(at: offset)
            if byte.isDigit {
                digits.append(byte &- UInt8(ascii: "0"))
            } else if ByteClass.of(byte).isDisjoint(with: [.space, .hyphen]) {
                return
            }
        }
        if isNational(digits, named: name.text, name.range) { add(range, .nationalID) }
    }

    /// Whether a word in lower case stands at `offset`, in whatever case.
    func hasLetters(_ word: StaticString, _ text: RawSpan, at offset: Int) -> Bool {
        offset >= start && SecretNames.has(word, text, at: offset, to: end)
    }

    /// A US social security number that can have been issued (SSA): not 000, 666 or 9xx, 00, 0000.
    private mutating func socialSecurity(_ text: RawSpan, at position: Int) {
        let width = separator(text, at: position &+ 3)
        let groups = [0..<3, 3 &+ width..<5 &+ width, 5 &+ 2 &* width..<9 &+ 2 &* width]
        let stop = position &+ 9 &+ 2 &* width
        let isShaped =
            isHyphen(text, at: position &+ 5 &+ width)
            && groups.allSatisfy { $0.allSatisfy { isOne(text, position &+ $0, of: .digit) } }
        guard finds(.ssn), isShaped, !isOne(text, stop, of: .word) else { return }
        let numbers = groups.map { $0.reduce(0) { $0 * 10 + Int(byte(text, position &+ $1)) &- 48 } }
        guard numbers.allSatisfy({ $0 != 0 }), numbers[0] != 666, numbers[0] < 900 else { return }
        add(position..<stop, .ssn)
        resume = stop
    }

    /// An IBAN, with single spaces where there are any.
    private mutating func bankAccount(_ text: RawSpan, at position: Int) {
        let isNamed =
            isOne(text, position &- 1, of: [.underscore, .hyphen]) && hasLetters("iban", text, at: position &- 5)
        guard finds(.iban), isNamed || !isOne(text, position &- 1, of: .word),
            let length = Checksums.ibanLength(text.byte(at: position), text.byte(at: position &+ 1))
        else { return }
        var letters: [UInt8] = []
        var stop = position
        while letters.count < length {
            if isOne(text, stop, of: [.digit, .upper]) {
                letters.append(text.byte(at: stop))
                stop &+= 1
                continue
            }
            let width = isHyphen(text, at: stop) ? 0 : separator(text, at: stop)
            guard width > 0, isOne(text, stop &+ width, of: [.digit, .upper]) else { break }
            stop &+= width
        }
        work &+= stop &- position
        guard letters.count == length, !isOne(text, stop, of: .word) || isCurrency(text, at: stop),
            Checksums.isIBAN(letters)
        else { return }
        add(position..<stop, .iban)
        resume = stop
    }

    /// Whether three large letters stand there, and nothing behind them.
    private func isCurrency(_ text: RawSpan, at offset: Int) -> Bool {
        (0..<3).allSatisfy { isOne(text, offset &+ $0, of: .upper) } && !isOne(text, offset &+ 3, of: .word)
    }

    /// `+` and 8 to 15 digits (E.164), with the signs that people put between them; `position` is the first digit.
    private mutating func phone(_ text: RawSpan, at position: Int) {
        var (count, stop, offset) = (0, position, position)
        while offset &- position < 30 {
            let byte = byte(text, offset)
            if byte.isDigit {
                count &+= 1
                stop = offset &+ 1
            } else if !Self.phoneSigns.contains(byte) {
                break
            }
            offset &+= 1
        }
        work &+= offset &- position
        guard (8...15).contains(count), !isOne(text, stop, of: .word) else { return }
        add(position &- 1..<stop, .phone)
        resume = stop
    }

    private static let phoneSigns = Array(" -.()/".utf8)

    /// An IPv4 address in four decimal numbers.
    private mutating func networkAddress4(_ text: RawSpan, at position: Int) {
        let stop = run(text, from: position, of: [.digit, .dot], max: 16)
        let last = byte(text, stop &- 1) == UInt8(ascii: ".") ? stop &- 1 : stop
        guard !isOne(text, stop, of: .word), IPAddress(text: text.text(position..<last)) != nil else { return }
        add(position..<last, .ip)
        resume = last
    }

    /// An IPv6 address around the colon at `position`.
    mutating func networkAddress(_ text: RawSpan, at position: Int) {
        let alphabet: ByteClass = [.hex, .dot]
        var (first, last) = (position, position)
        while position &- first < 40,
            isOne(text, first &- 1, of: alphabet) || byte(text, first &- 1) == UInt8(ascii: ":")
        {
            first &-= 1
        }
        while last &- position < 40, isOne(text, last, of: alphabet) || byte(text, last) == UInt8(ascii: ":") {
            last &+= 1
        }
        work &+= last &- first
        guard first >= resume, last &- first >= 4, !isOne(text, first &- 1, of: .word), !isOne(text, last, of: .word)
        else { return }
        while last > first, byte(text, last &- 1) == UInt8(ascii: ".") { last &-= 1 }
        let candidate = text.text(first..<last)
        guard candidate.contains(":"), IPAddress(text: candidate) != nil else { return }
        add(first..<last, .ip)
        resume = last
    }
}
