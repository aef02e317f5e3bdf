import Basics

extension BytePass {
    /// Credentials of a URL, or an e-mail address, around the `@` at `position`.
    mutating func address(_ text: RawSpan, at position: Int) {
        if finds(.urlCredentials), credentials(text, at: position) { return }
        if finds(.email) { mail(text, at: position, width: 1) }
    }

    /// Bytes of user and password in an address, at most: tokens of registries have more than a thousand.
    private static let credentialsMax = 4096

    /// What ends user and password backwards: blanks, quotes, what stands around addresses.
    ///
    /// RFC 3986 allows every other sign.
    private static func endsCredentials(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, 0x7F, UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"), UInt8(ascii: "<"),
            UInt8(ascii: ">"), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "@"):
            true
        default: false
        }
    }

    /// `user:password` before `@` in an address; whether there are any.
    private mutating func credentials(_ text: RawSpan, at position: Int) -> Bool {
        var first = position
        while position &- first < Self.credentialsMax, !Self.endsCredentials(byte(text, first &- 1)) { first &-= 1 }
        work &+= position &- first
        guard first < position, has("://", text, at: first &- 3),
            let colon = (first..<position).first(where: { byte(text, $0) == UInt8(ascii: ":") }), colon &+ 1 < position
        else { return false }
        // A password may have an `@` of its own: the last one before the path ends it.
        var (last, offset) = (position, position &+ 1)
        while offset &- position < 300, offset < end, !isOne(text, offset, of: .valueEnd) {
            let byte = byte(text, offset)
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") { break }
            if byte == UInt8(ascii: "@") { last = offset }
            offset &+= 1
        }
        work &+= offset &- position
        // `scheme://[user:password@]host` says how an address is written.
        guard !isVariable(text, colon &+ 1..<last), byte(text, first) != UInt8(ascii: "[") else { return true }
        add(first..<last, .urlCredentials)
        resume = last &+ 1
        return true
    }

    /// An address whose `@`, or `%40` in a URL, takes `width` bytes from `position` on.
    mutating func mail(_ text: RawSpan, at position: Int, width: Int) {
        // RFC 5321 allows 64; what goes on before that belongs to it all the same.
        var first = mailStart(text, at: position, max: width == 1 ? 320 : 80)
        while first < position, !isOne(text, first, of: .alphanumeric), byte(text, first) < 0x80,
            byte(text, first) != UInt8(ascii: "_")
        {
            first &+= 1
        }
        guard first < position, byte(text, position &- 1) != UInt8(ascii: ".") else { return }
        // The user of an address has no mailbox: `ssh://git@host.org`.
        if has("://", text, at: first &- 3) { return }
        let domain = position &+ width
        guard let stop = domainEnd(text, from: domain), !isCode(text, domain..<stop) else { return }
        // `git@github.com:owner/name` is a place.
        if byte(text, stop) == UInt8(ascii: ":"), has("git", text, at: position &- 3), position &- first == 3 { return }
        add(first..<stop, .email)
        resume = stop
    }

    /// Where an address begins that goes on to `position`.
    private mutating func mailStart(_ text: RawSpan, at position: Int, max: Int) -> Int {
        var first = position
        while position &- first < max {
            if isOne(text, first &- 1, of: .mail) {
                first &-= 1
            } else if isLetterOfTwo(text, at: first &- 2) {
                first &-= 2
            } else if byte(text, first &- 1) == UInt8(ascii: "'"), first < position,
                isOne(text, first, of: .letter), isOne(text, first &- 2, of: .letter)
            {
                first &-= 1
            } else {
                break
            }
        }
        work &+= position &- first
        return first
    }

    /// Where the domain ends that begins at `first`; nil for one without a top-level domain.
    private mutating func domainEnd(_ text: RawSpan, from first: Int) -> Int? {
        var (stop, label) = (first, first)
        while stop &- first < 255 {
            if byte(text, stop) == UInt8(ascii: "."), isOne(text, stop &+ 1, of: [.alphanumeric, .other]) {
                label = stop &+ 1
            } else if isLetterOfTwo(text, at: stop) {
                stop &+= 1
            } else if !isOne(text, stop, of: [.alphanumeric, .hyphen]) {
                break
            }
            stop &+= 1
        }
        work &+= stop &- first
        if label > first &+ 1, stop &- label >= 2, isTopLevel(text, label..<stop) { return stop }
        // `ada@example.org-thanks`, `ada@example.org.pdf`: what goes on behind a usual one is no part of it.
        while stop > first {
            stop &-= 1
            guard isOne(text, stop, of: [.dot, .hyphen]) else { continue }
            let label = runBack(text, from: stop, of: .letter, max: 4)
            if label > first &+ 1, byte(text, label &- 1) == UInt8(ascii: "."), isUsual(text, label..<stop) {
                return stop
            }
        }
        return nil
    }

    /// Whether what looks like an address is code: a product of matrices, a label of Kotlin.
    private func isCode(_ text: RawSpan, _ domain: Range<Int>) -> Bool {
        if has("self.", text, at: domain.lowerBound) { return true }
        let label = (domain.last { byte(text, $0) == UInt8(ascii: ".") } ?? domain.lowerBound) &+ 1..<domain.upperBound
        if byte(text, label.upperBound) == UInt8(ascii: "("), !isUsual(text, label) { return true }
        return label.dropFirst().contains { isOne(text, $0, of: .upper) && isOne(text, $0 &- 1, of: .lower) }
    }

    /// Whether a letter of two bytes stands at `offset`, of an alphabet whose words have spaces between them.
    private func isLetterOfTwo(_ text: RawSpan, at offset: Int) -> Bool {
        (0xC3...0xDF).contains(byte(text, offset)) && byte(text, offset &+ 1) & 0xC0 == 0x80
    }

    /// Whether it can be a top-level domain: letters, and no ending of a file.
    private func isTopLevel(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        guard
            range.allSatisfy({ !kind(text, $0).isDisjoint(with: [.letter, .other]) })
                || has("xn--", text, at: range.lowerBound)
        else { return false }
        return !Self.fileEndings.contains(text.text(range).lowercased())
    }

    /// Whether it is a top-level domain of which there are very many addresses.
    private func isUsual(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        Self.usual.contains(text.text(range).lowercased())
    }

    private static let usual: Set<String> = [
        "com", "org", "net", "edu", "gov", "info", "io", "co", "eu", "de", "at", "ch", "fr", "es", "it", "pt", "nl",
        "be",
        "uk", "ie", "se", "no", "dk", "fi", "pl", "cz", "ru", "ua", "tr", "cn", "jp", "kr", "in", "br", "mx", "ca",
        "au",
        "us",
    ]

    private static let fileEndings: Set<String> = [
        "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "avif", "heic", "css", "js", "mjs", "ts", "json", "html",
        "pdf", "mp4",
        "webm", "woff", "woff2", "ttf", "dat", "service", "timer", "socket",
    ]
}
