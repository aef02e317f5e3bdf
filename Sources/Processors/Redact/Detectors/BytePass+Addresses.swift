import Basics

extension BytePass {
    /// Credentials of a URL, or an e-mail address, around the `@` at `position`.
    mutating func address(_ text: RawSpan, at position: Int) {
        if finds(.urlCredentials), credentials(text, at: position) { return }
        if finds(.email) { mail(text, at: position) }
    }

    /// `user:password` before `@` in an address; whether there are any.
    private mutating func credentials(_ text: RawSpan, at position: Int) -> Bool {
        var first = position
        while position &- first < 300, !isOne(text, first &- 1, of: .valueEnd), first &- 1 >= start {
            let byte = byte(text, first &- 1)
            if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "@") { break }
            first &-= 1
        }
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
        // What is a variable is no password.
        guard !Self.variableSigns.contains(byte(text, colon &+ 1)) else { return true }
        add(first..<last, .urlCredentials)
        resume = last &+ 1
        return true
    }

    /// What variables and placeholders begin with.
    static let variableSigns = Array("${<%*[(".utf8)

    private mutating func mail(_ text: RawSpan, at position: Int) {
        var first = mailStart(text, at: position)
        while first < position, !isOne(text, first, of: .alphanumeric), byte(text, first) < 0x80,
            byte(text, first) != UInt8(ascii: "_")
        {
            first &+= 1
        }
        guard first < position, byte(text, position &- 1) != UInt8(ascii: ".") else { return }
        // The user of an address has no mailbox: `ssh://git@host.org`.
        if has("//", text, at: first &- 2) { return }
        var stop = position &+ 1
        var label = stop
        while stop &- position < 255 {
            if byte(text, stop) == UInt8(ascii: "."), isOne(text, stop &+ 1, of: [.alphanumeric, .other]) {
                label = stop &+ 1
            } else if isLetterOfTwo(text, at: stop) {
                stop &+= 1
            } else if !isOne(text, stop, of: [.alphanumeric, .hyphen]) {
                break
            }
            stop &+= 1
        }
        work &+= stop &- position
        guard label > position &+ 2, stop &- label >= 2, isTopLevel(text, label..<stop) else { return }
        // `git@github.com:owner/name` is a place.
        if byte(text, stop) == UInt8(ascii: ":"), has("git", text, at: position &- 3), position &- first == 3 { return }
        add(first..<stop, .email)
        resume = stop
    }

    /// Where an address begins that goes on to `position`.
    private mutating func mailStart(_ text: RawSpan, at position: Int) -> Int {
        var first = position
        while position &- first < 64 {
            if isOne(text, first &- 1, of: .mail) {
                first &-= 1
            } else if isLetterOfTwo(text, at: first &- 2) {
                first &-= 2
            } else {
                break
            }
        }
        work &+= position &- first
        return first
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

    private static let fileEndings: Set<String> = [
        "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "avif", "heic", "css", "js", "mjs", "ts", "json", "html",
        "pdf", "mp4",
        "webm", "woff", "woff2", "ttf", "dat", "service", "timer", "socket",
    ]
}
