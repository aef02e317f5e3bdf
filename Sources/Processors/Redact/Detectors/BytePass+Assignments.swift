import Basics

/// Names whose values are secrets.
enum SecretNames {
    private static let words = [
        "password", "passwd", "pwd", "passphrase", "passcode", "secret", "token", "apikey", "accesskey", "secretkey",
        "privatekey",
        "authkey", "accountkey", "signingkey", "encryptionkey", "credential", "credentials",
    ].map { Array($0.utf8.reversed()) }
    /// The same by the lower five bits of their last letter: few names share that with any.
    private static let byLast = (0..<32).map { bits in words.filter { $0[0] & 31 == UInt8(bits) } }
    private static let authorization = Array("noitazirohtua".utf8)

    /// Letters that one of them ends with.
    static func isLast(_ byte: UInt8) -> Bool {
        switch byte | 0x20 {
        case UInt8(ascii: "d"), UInt8(ascii: "e"), UInt8(ascii: "t"), UInt8(ascii: "n"), UInt8(ascii: "y"),
            UInt8(ascii: "l"), UInt8(ascii: "s"):
            true
        default: false
        }
    }

    /// Whether a name in `range` ends in one of them, whatever its case and the signs between words.
    static func contain(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        guard let last = range.last, isLast(text.byte(at: last)) else { return false }
        for word in byLast[Int(text.byte(at: last) & 31)] where ends(text, range, with: word) { return true }
        return false
    }

    /// Whether the name in `range` is that of the header `Authorization`.
    static func isAuthorization(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        guard let last = range.last, text.byte(at: last) | 0x20 == UInt8(ascii: "n") else { return false }
        return ends(text, range, with: authorization)
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

extension BytePass {
    /// Least randomness of a secret, in bits a byte.
    private static let entropyMin = 3.5
    /// Bytes of a secret that only its name tells, at least.
    static let secretMin = 8

    /// `NAME: VALUE` or `NAME=VALUE`, with or without quotes; the sign stands at `position`.
    mutating func assignment(_ text: RawSpan, at position: Int) {
        guard finds(.secret) || finds(.authorization) || finds(.awsSecret) else { return }
        var nameEnd = position
        while position &- nameEnd < 6, isOne(text, nameEnd &- 1, of: .space) || Self.isQuote(byte(text, nameEnd &- 1)) {
            nameEnd &-= 1
        }
        guard SecretNames.isLast(byte(text, nameEnd &- 1)) else { return }
        let name = runBack(text, from: nameEnd, of: .name, max: 64)..<nameEnd
        let isAuthorization = SecretNames.isAuthorization(text, name)
        guard isAuthorization || SecretNames.contain(text, name) else { return }
        var first = position &+ 1
        if text.byte(at: position) == UInt8(ascii: ":"), byte(text, first) == UInt8(ascii: "=") { first &+= 1 }
        if byte(text, first) == UInt8(ascii: ">") { first &+= 1 }
        let limit = first &+ 8
        while first < limit, isOne(text, first, of: .space) || Self.isQuote(byte(text, first)) { first &+= 1 }
        if isAuthorization, let token = credentialsStart(text, at: first) {
            let stop = valueEnd(text, from: token)
            if stop &- token >= 8 {
                add(token..<stop, .authorization)
                resume = max(resume, finds(.authorization) ? stop : resume)
            }
            return
        }
        let value = first..<valueEnd(text, from: first)
        if finds(.awsSecret), isAWSSecret(text, value) {
            add(value, .awsSecret)
        } else if isSecret(text, value), value.contains(where: { isOne(text, $0, of: .digit) }),
            value.contains(where: { isOne(text, $0, of: .letter) })
        {
            add(value, isAuthorization ? .authorization : .secret)
        }
    }

    /// A text that is all of a value whose name says that it is a secret.
    mutating func keyed(_ text: RawSpan, _ range: Range<Int>, _ isAuthorization: Bool) {
        (start, end) = (range.lowerBound, range.upperBound)
        if finds(.awsSecret), isAWSSecret(text, range) { return add(range, .awsSecret) }
        if isAuthorization, Self.schemes.contains(where: { hasLetters($0, text, at: start) }),
            let token = credentialsStart(text, at: start), end &- token >= Self.secretMin
        {
            return add(token..<end, .authorization)
        }
        // Words are no secrets: there is something besides small letters, and not only at the beginning.
        guard !range.contains(where: { isOne(text, $0, of: .space) }), isSecret(text, range),
            range.dropFirst().contains(where: { !isOne(text, $0, of: .lower) && byte(text, $0) < 0x80 })
        else { return }
        add(range, isAuthorization ? .authorization : .secret)
    }

    /// How values of `Authorization` begin (RFC 9110 section 11 and what services made of it), in lower case.
    private static let schemes: [StaticString] = [
        "bearer ", "basic ", "token ", "apikey ", "digest ", "negotiate ", "hawk ", "aws4-hmac-sha256 ",
    ]

    static func isQuote(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "`")
            || byte == UInt8(ascii: "\\")
    }

    private mutating func valueEnd(_ text: RawSpan, from first: Int) -> Int {
        var stop = first
        while stop &- first < 2560, stop < end, !isOne(text, stop, of: .valueEnd) { stop &+= 1 }
        work &+= stop &- first
        // A full stop or a colon behind it belongs to the sentence.
        while stop > first, byte(text, stop &- 1) == UInt8(ascii: ".") || byte(text, stop &- 1) == UInt8(ascii: ":") {
            stop &-= 1
        }
        return stop
    }

    /// Whether a value is too random for a word or a placeholder.
    mutating func isSecret(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        guard range.count >= Self.secretMin, !Self.variableSigns.contains(text.byte(at: range.lowerBound)) else {
            return false
        }
        // Of a long one the beginning tells.
        let range = range.prefix(1024)
        work &+= 2 * range.count
        guard !text.equalsStart("http", range), !text.equalsStart("[redacted", range) else { return false }
        return Entropy.bits(text, range) >= Self.entropyMin
    }

    /// Where the token of `Bearer TOKEN` begins; nil where no scheme stands at `offset`.
    private mutating func credentialsStart(_ text: RawSpan, at offset: Int) -> Int? {
        let scheme = run(text, from: offset, of: .word, max: 16)
        guard scheme > offset, byte(text, scheme) == UInt8(ascii: " ") else { return nil }
        var token = scheme
        while token &- scheme < 4, byte(text, token) == UInt8(ascii: " ") { token &+= 1 }
        return token
    }

    /// `Bearer TOKEN` and `Basic TOKEN` without the name of the header, at `position`.
    mutating func scheme(_ text: RawSpan, at position: Int) {
        guard finds(.authorization), !isOne(text, position &- 1, of: .word) else { return }
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
        token.count >= 16 && token.contains { isOne(text, $0, of: .digit) }
            && token.contains { isOne(text, $0, of: .letter) }
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
