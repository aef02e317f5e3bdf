import Basics

extension BytePass {
    /// First letters of base64 by the type of what it holds.
    private static let beginnings: [(letters: StaticString, type: String)] = [
        ("iVBORw0KGgo", "image/png"), ("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp"),
        ("JVBERi0", "application/pdf"),
    ]
    /// Base64 that is taken for media without an address, and whose hash nobody guesses, at least.
    private static let lettersMin = 64

    /// Base64 of an image or a document at the beginning of a text.
    mutating func bareMedia(_ text: RawSpan, at offset: Int) {
        guard end &- offset >= Self.lettersMin,
            let beginning = Self.beginnings.first(where: { has($0.letters, text, at: offset) })
        else { return }
        let stop = endOfBase64(text, from: offset)
        guard stop &- offset >= Self.lettersMin, stop == end || isOne(text, stop, of: .valueEnd) else { return }
        stub(offset..<stop, text, offset..<stop, beginning.type)
    }

    /// `data:TYPE;base64,…`; the colon stands at `position`.
    mutating func dataAddress(_ text: RawSpan, at position: Int) {
        guard has("data", text, at: position &- 4) else { return }
        let type = position &+ 1..<run(text, from: position &+ 1, of: [.word, .dot, .base64Signs], max: 100)
        var offset = type.upperBound
        // Parameters, such as a character set.
        while offset &- type.upperBound < 200, offset < end, byte(text, offset) != UInt8(ascii: ",") {
            if isOne(text, offset, of: .space) { return }
            offset &+= 1
        }
        work &+= offset &- type.upperBound
        guard has(";base64,", text, at: offset &- 7) else { return }
        let content = offset &+ 1..<endOfBase64(text, from: offset &+ 1)
        guard content.count >= 16 else { return }
        stub(position &- 4..<content.upperBound, text, content, mediaType(text, type))
    }

    /// The type as it stands where it is one, and `other` where it may be anything.
    private func mediaType(_ text: RawSpan, _ type: Range<Int>) -> String {
        if type.isEmpty { return "text/plain" }
        let isType =
            type.count { text.byte(at: $0) == UInt8(ascii: "/") } == 1
            && type.count { isOne(text, $0, of: .digit) } <= 4
            && type.allSatisfy { !isOne(text, $0, of: [.upper, .underscore]) }
        return isType ? text.text(type) : "other"
    }

    /// Where base64 ends that begins at `offset`, in one line or in lines of one length as MIME has them (RFC 2045 section 6.8).
    private func endOfBase64(_ text: RawSpan, from offset: Int) -> Int {
        var stop = endOfLetters(text, from: offset)
        let width = stop &- offset
        var count = width
        while width >= Self.lineMin {
            let line = afterLineEnd(text, at: stop)
            guard line > stop else { break }
            let last = endOfLetters(text, from: line)
            if last &- line == width {
                (stop, count) = (last, count &+ width)
                continue
            }
            // The last one is shorter; a word in its place makes no whole groups of four, or a sentence goes on behind it.
            let close = endOfPadding(text, from: last)
            let isLast =
                last > line && last &- line < width && (count &+ close &- line) % 4 == 0
                && (close == end || isOne(text, close, of: .valueEnd) && byte(text, close) != UInt8(ascii: " "))
            if isLast { stop = close }
            break
        }
        return endOfPadding(text, from: stop)
    }

    /// Letters of a line of base64 behind which another one may follow, at least.
    private static let lineMin = 60

    private func endOfLetters(_ text: RawSpan, from offset: Int) -> Int {
        var stop = offset
        while stop < end, !ByteClass.of(text.byte(at: stop)).isDisjoint(with: [.word, .base64Signs]) { stop &+= 1 }
        return stop
    }

    private func endOfPadding(_ text: RawSpan, from offset: Int) -> Int {
        var stop = offset
        while byte(text, stop) == UInt8(ascii: "=") { stop &+= 1 }
        return stop
    }

    /// What stands behind a line end at `offset`; `offset` where there is none.
    private func afterLineEnd(_ text: RawSpan, at offset: Int) -> Int {
        let feed = byte(text, offset) == UInt8(ascii: "\r") ? offset &+ 1 : offset
        return byte(text, feed) == UInt8(ascii: "\n") ? feed &+ 1 : offset
    }

    /// Puts type, size and hash in the place of `range`; no hash of what is so short that it can be guessed.
    private mutating func stub(_ range: Range<Int>, _ text: RawSpan, _ content: Range<Int>, _ type: String) {
        var letters: [UInt8] = []
        letters.append(text, content)
        letters.removeAll { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        // Base64 that was cut has a hash of its letters.
        let media = Base64.decode(letters.span.bytes, 0..<letters.count) ?? letters
        let hash = content.count < Self.lettersMin ? "" : ",sha256=\(SHA256.hash(media).hexadecimal)"
        texts.append(Array("[media:\(type),bytes=\(media.count)\(hash)]".utf8))
        hits.append(Hit(range: range, label: RedactionLabels.media, text: texts.count - 1))
        resume = range.upperBound
        skipped += range.count
    }
}
