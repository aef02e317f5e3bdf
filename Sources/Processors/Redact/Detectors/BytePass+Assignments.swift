import Basics

extension BytePass {
    /// Least randomness of a secret, in bits a byte.
    private static let entropyMin = 3.5
    /// That of a password, as a part of what letters that are all different have.
    private static let passwordPart = 0.85
    /// Bytes of a secret that only its name tells, at least.
    static let secretMin = 8

    /// `NAME: VALUE` or `NAME=VALUE`, with or without quotes and markdown's stars; the sign stands at `position`.
    mutating func assignment(_ text: RawSpan, at position: Int) {
        guard finds(.secret) || finds(.authorization) || finds(.awsSecret) else { return }
        var nameEnd = position
        while position &- nameEnd < 6, isOne(text, nameEnd &- 1, of: [.space, .wrapper]) { nameEnd &-= 1 }
        guard SecretNames.isLast(byte(text, nameEnd &- 1)), let kind = kindOfName(text, to: nameEnd) else { return }
        var first = position &+ 1
        if text.byte(at: position) == UInt8(ascii: ":"), byte(text, first) == UInt8(ascii: "=") { first &+= 1 }
        if byte(text, first) == UInt8(ascii: ">") { first &+= 1 }
        let limit = first &+ 8
        var stars = 0
        while first < limit, isOne(text, first, of: [.space, .wrapper]), byte(text, first) != UInt8(ascii: "_") {
            stars &+= byte(text, first) == UInt8(ascii: "*") ? 1 : 0
            first &+= 1
        }
        if kind == .authorization, isScheme(text, at: first) { return authorization(text, from: first) }
        var stop = valueEnd(text, from: first)
        while stars > 0, stop > first, byte(text, stop &- 1) == UInt8(ascii: "*") {
            (stop, stars) = (stop &- 1, stars &- 1)
        }
        let value = first..<stop
        if finds(.awsSecret), isAWSSecret(text, value) {
            add(value, .awsSecret)
        } else if isSecret(text, value, kind), isMixed(text, value), !isCode(text, value) {
            let isHeader = text.byte(at: position) == UInt8(ascii: ":")
            let whole = first..<passwordEnd(text, value, isHeader: isHeader)
            add(whole, kind == .authorization ? .authorization : .secret)
        }
    }

    /// Whether a value without quotes is one of a program: a call, or a member that is called like a secret.
    private func isCode(_ text: RawSpan, _ value: Range<Int>) -> Bool {
        guard isOne(text, value.lowerBound &- 1, of: [.space, .equals]),
            value.allSatisfy({ isOne(text, $0, of: .name) })
        else { return false }
        return byte(text, value.upperBound) == UInt8(ascii: "(")
            || SecretNames.kind(text, value) != nil && value.contains { isOne(text, $0, of: [.dot, .underscore]) }
    }

    /// Where a value ends that has more signs than a token: in quotes at the one that closes it, and without them behind signs
    /// that separate only where names stand before `=`.
    private mutating func passwordEnd(_ text: RawSpan, _ value: Range<Int>, isHeader: Bool) -> Int {
        var stop = wholeEnd(text, value)
        let quote = byte(text, value.lowerBound &- 1)
        if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") || quote == UInt8(ascii: "`") {
            var close = stop
            while close &- stop < 256, close < end, !isOne(text, close, of: .space), byte(text, close) != quote {
                close &+= 1
            }
            work &+= close &- stop
            guard byte(text, close) == quote, close &- stop < 256 else { return stop }
            return byte(text, close &- 1) == UInt8(ascii: "\\") ? max(stop, close &- 1) : close
        }
        while isHeader, byte(text, stop) == UInt8(ascii: "&"), isOne(text, stop &+ 1, of: .alphanumeric) {
            stop = valueEnd(text, from: stop &+ 1)
        }
        return stop
    }

    /// What the name says that ends at `end`; of `API key` both words count.
    private mutating func kindOfName(_ text: RawSpan, to end: Int) -> SecretNames.Kind? {
        let name = runBack(text, from: end, of: .name, max: 64)..<end
        if let kind = SecretNames.kind(text, name) {
            // `pass:` alone is a word of sentences, too.
            let isWord = name.count == 4 && hasLetters("pass", text, at: name.lowerBound)
            return isWord && byte(text, end) == UInt8(ascii: ":") ? nil : kind
        }
        guard name.count == 3, hasLetters("key", text, at: name.lowerBound),
            byte(text, name.lowerBound &- 1) == UInt8(ascii: " ")
        else { return nil }
        return SecretNames.kind(text, runBack(text, from: name.lowerBound &- 1, of: .name, max: 64)..<end)
    }

    /// What follows a scheme at `offset`, which is no word of a sentence.
    private mutating func authorization(_ text: RawSpan, from offset: Int) {
        guard let first = credentialsStart(text, at: offset) else { return }
        let token = first..<valueEnd(text, from: first)
        var stop = wholeEnd(text, token)
        let isMeant: Bool
        if Self.schemesOfPairs.contains(where: { hasLetters($0, text, at: offset) }) {
            isMeant = token.contains { byte(text, $0) == UInt8(ascii: "=") }
            while isMeant, stop < end, !Self.endsPairs(text.byte(at: stop)) { stop &+= 1 }
            work &+= stop &- first
        } else if Self.schemes.contains(where: { hasLetters($0, text, at: offset) }) {
            isMeant =
                token.count >= 24 || byte(text, token.upperBound &- 1) == UInt8(ascii: "=")
                || token.dropFirst().contains { isOne(text, $0, of: [.digit, .upper]) }
        } else {
            isMeant = isSecret(text, token, .authorization) && isMixed(text, token)
        }
        guard isMeant, stop &- first >= Self.secretMin else { return }
        add(first..<stop, .authorization)
        if finds(.authorization) { resume = max(resume, stop) }
    }

    /// A text that is all of a value whose name says that it is a secret.
    mutating func keyed(_ text: RawSpan, _ range: Range<Int>, _ kind: SecretNames.Kind) {
        (start, end) = (range.lowerBound, range.upperBound)
        while start < end, isOne(text, start, of: .space) { start &+= 1 }
        while start < end, isOne(text, end &- 1, of: .space) { end &-= 1 }
        let range = start..<end
        guard range.count >= Self.secretMin else { return }
        if finds(.awsSecret), isAWSSecret(text, range) { return add(range, .awsSecret) }
        if kind == .authorization, Self.schemes.contains(where: { hasLetters($0, text, at: start) }),
            let token = credentialsStart(text, at: start), end &- token >= Self.secretMin
        {
            return add(token..<end, .authorization)
        }
        guard !range.contains(where: { isOne(text, $0, of: .space) }) else { return }
        // Words are no secrets: there is something besides small letters, and not only at the beginning.
        let isSecret =
            isSecret(text, range, .secret)
            && range.dropFirst().contains { !isOne(text, $0, of: .lower) && byte(text, $0) < 0x80 }
        guard isSecret || kind == .password && isMixed(text, range) && self.isSecret(text, range, kind) else { return }
        add(range, kind == .authorization ? .authorization : .secret)
    }

    /// How values of `Authorization` begin (RFC 9110 section 11 and what services made of it), in lower case.
    private static let schemes: [StaticString] =
        [
            "bearer ", "basic ", "token ", "apikey ", "negotiate ",
        ] + schemesOfPairs
    /// Those that are followed by names and values.
    private static let schemesOfPairs: [StaticString] = ["digest ", "hawk ", "aws4-hmac-sha256 "]

    /// What ends names and values of a header in a text: a line, the quotes and escapes around it.
    private static func endsPairs(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\\")
    }

    /// Bytes of a value that are looked at to know what it is, about.
    private static let valueMax = 2560

    /// Where a value ends however long it is; nothing else is looked for in such a long one.
    private mutating func wholeEnd(_ text: RawSpan, _ value: Range<Int>) -> Int {
        var stop = value.upperBound
        guard value.count >= Self.valueMax - 16 else { return stop }
        while stop < end, !isOne(text, stop, of: .valueEnd) { stop &+= 1 }
        resume = max(resume, stop)
        return stop
    }

    private mutating func valueEnd(_ text: RawSpan, from first: Int) -> Int {
        var stop = first
        while stop &- first < Self.valueMax, stop < end, !isOne(text, stop, of: .valueEnd) { stop &+= 1 }
        work &+= stop &- first
        // A full stop or a colon behind it belongs to the sentence.
        while stop > first, byte(text, stop &- 1) == UInt8(ascii: ".") || byte(text, stop &- 1) == UInt8(ascii: ":") {
            stop &-= 1
        }
        return stop
    }

    /// How addresses begin, what is redacted already, and where programs say that they have a secret.
    private static let beginningsOfOthers: [StaticString] = [
        "http", "[redacted", "process.env", "import.meta", "os.environ", "config.", "settings.", "self.", "this.",
    ]

    private func isMixed(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        range.contains { isOne(text, $0, of: .digit) } && range.contains { isOne(text, $0, of: .letter) }
    }

    /// Whether a value is too random for a word, and neither a variable nor an address.
    private mutating func isSecret(_ text: RawSpan, _ range: Range<Int>, _ kind: SecretNames.Kind) -> Bool {
        guard range.count >= Self.secretMin, !isVariable(text, range) else { return false }
        // Of a long one the beginning tells.
        let range = range.prefix(1024)
        work &+= 2 * range.count
        guard !Self.beginningsOfOthers.contains(where: { text.equalsStart($0, range) }) else { return false }
        // So few letters cannot have more.
        let most = kind == .password ? Self.passwordPart * Entropy.most(range.count) : Self.entropyMin
        return Entropy.bits(text, range) >= min(Self.entropyMin, most)
    }

    /// Whether something is a variable or a placeholder as a whole: `${NAME}`, `$NAME`, `<name>`, `{{ name }}`, `%NAME%`,
    /// `%s`, `***`.
    func isVariable(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        guard let last = range.last else { return false }
        let inside = range.dropFirst()
        let second = inside.first.map { text.byte(at: $0) } ?? 0
        switch (text.byte(at: range.lowerBound), text.byte(at: last)) {
        case (UInt8(ascii: "<"), UInt8(ascii: ">")), (UInt8(ascii: "{"), UInt8(ascii: "}")),
            (UInt8(ascii: "["), UInt8(ascii: "]")), (UInt8(ascii: "("), UInt8(ascii: ")")):
            return true
        case (UInt8(ascii: "$"), UInt8(ascii: "}")), (UInt8(ascii: "#"), UInt8(ascii: "}")):
            return second == UInt8(ascii: "{")
        case (UInt8(ascii: "$"), UInt8(ascii: ")")): return second == UInt8(ascii: "(")
        case (UInt8(ascii: "$"), _):
            // Names are of one case, or have no digits; a password may begin so, too.
            let isName = inside.allSatisfy { isOne(text, $0, of: .name) || byte(text, $0) == UInt8(ascii: ":") }
            let isMixed = [ByteClass.digit, .upper, .lower].allSatisfy { kind in
                inside.contains { isOne(text, $0, of: kind) }
            }
            return isName && !isMixed
        case (UInt8(ascii: "%"), UInt8(ascii: "%")): return inside.dropLast().allSatisfy { isOne(text, $0, of: .name) }
        case (UInt8(ascii: "%"), _): return range.count == 2 || second == UInt8(ascii: "(")
        default: return inside.allSatisfy { text.byte(at: $0) == text.byte(at: range.lowerBound) }
        }
    }

    /// Whether a word and a space stand at `offset`.
    private mutating func isScheme(_ text: RawSpan, at offset: Int) -> Bool {
        credentialsStart(text, at: offset) != nil
    }

    /// Where the token of `Bearer TOKEN` begins; nil where no scheme stands at `offset`.
    private mutating func credentialsStart(_ text: RawSpan, at offset: Int) -> Int? {
        let scheme = run(text, from: offset, of: .word, max: 16)
        guard scheme > offset, byte(text, scheme) == UInt8(ascii: " ") else { return nil }
        var token = scheme
        while token &- scheme < 4, byte(text, token) == UInt8(ascii: " ") { token &+= 1 }
        return token
    }

    /// `Bearer TOKEN` and `Basic TOKEN` without the name of the header, at `position`, before which no word stands.
    mutating func scheme(_ text: RawSpan, at position: Int) {
        guard finds(.authorization) else { return }
        let isBearer = hasLetters("bearer", text, at: position)
        guard isBearer || hasLetters("basic", text, at: position) else { return }
        guard let first = credentialsStart(text, at: position) else { return }
        let stop = run(text, from: first, of: [.word, .base64Signs, .dot, .tilde, .equals], max: 4096)
        let token = first..<(byte(text, stop &- 1) == UInt8(ascii: ".") ? stop &- 1 : stop)
        guard token.count >= 8, isBearer ? isBearerToken(text, token) : isBasicToken(text, token) else { return }
        add(token, .authorization)
        resume = token.upperBound
    }

    private func isBearerToken(_ text: RawSpan, _ token: Range<Int>) -> Bool {
        token.count >= 16 && isMixed(text, token)
    }

    /// Whether base64 holds a user and a password.
    private mutating func isBasicToken(_ text: RawSpan, _ token: Range<Int>) -> Bool {
        work &+= token.count
        guard let decoded = Base64.decode(text, token), decoded.contains(UInt8(ascii: ":")) else { return false }
        return decoded.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}

extension RawSpan {
    /// Whether the bytes of `range` begin with a word.
    func equalsStart(_ word: StaticString, _ range: Range<Int>) -> Bool {
        range.count >= word.utf8CodeUnitCount
            && equals(word, range.lowerBound..<range.lowerBound + word.utf8CodeUnitCount)
    }
}
