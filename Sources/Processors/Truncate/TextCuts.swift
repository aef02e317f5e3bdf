import Basics
import OTLP

/// The texts of one request while those that are too long are cut.
struct TextCuts {
    /// One text that was cut, for people.
    struct Cut: Sendable {
        let place: TextPlace
        let unit: Int
        /// The name that it stands under; empty without one.
        let key: String
        /// By how many bytes.
        let bytes: Int
    }

    private let textMax: Int
    private let stepsMax: Int
    /// The work done: one step for 16 bytes of a text that is cut, and one for each of its values where it is JSON,
    /// those of JSON in its strings included.
    private(set) var steps = 0
    private(set) var cuts: [Cut] = []
    private(set) var edits = TextEdits()

    /// - Parameters:
    ///   - textMax: Bytes that a text may have.
    ///   - stepsMax: Steps that the request may still take.
    init(textMax: Int, stepsMax: Int) {
        (self.textMax, self.stepsMax) = (textMax, stepsMax)
    }

    var isOver: Bool { steps > stepsMax }

    /// Cuts every text of a request that is too long, until that is found to cost too much.
    mutating func run(_ batch: Envelope) throws(WireError) {
        let body = batch.bytes.span.bytes
        var walk = TextWalk(batch.signal, body)
        while !isOver, let item = try walk.next(in: body) {
            var site = item.site
            site.key = 0..<0
            if item.bringsKey { cut(item.site.key, at: site, body) }
            cut(item.text, at: item.site, body)
        }
    }

    private mutating func cut(_ range: Range<Int>, at site: TextSite, _ body: RawSpan) {
        guard range.count > textMax else { return }
        steps += range.count / 16
        let text = body.extracting(range)
        let json = JSONText(text)
        steps += json?.count ?? 0
        let shorter =
            json?.shortened(text, to: textMax, steps: &steps) ?? TextCut.plain(text, 0..<text.byteCount, to: textMax)
        let key = site.key.isEmpty ? "" : body.text(site.key).excerpt(max: 100)
        cuts.append(Cut(place: site.place, unit: site.unit, key: key, bytes: range.count - shorter.count))
        edits.replace(range, with: shorter)
    }
}

/// How one text is cut.
enum TextCut {
    /// Bytes that the words behind a cut take at most.
    static let markMax = 36

    /// The beginning of a text, with words that say how much is missing; on a boundary of characters.
    ///
    /// - Parameters:
    ///   - text: UTF-8.
    ///   - range: What of it.
    ///   - max: Bytes of the result, at least `markMax`.
    /// - Returns: UTF-8.
    static func plain(_ text: RawSpan, _ range: Range<Int>, to max: Int) -> [UInt8] {
        var end = range.lowerBound + Swift.max(0, max - markMax)
        while end > range.lowerBound, text.byte(at: end) & 0xC0 == 0x80 { end -= 1 }
        return cut(text, range, at: end)
    }

    /// The same of the inside of a string in JSON: no escape is cut in two.
    static func escaped(_ text: RawSpan, _ range: Range<Int>, to max: Int) -> [UInt8] {
        let limit = range.lowerBound + Swift.max(0, max - markMax)
        var end = range.lowerBound
        while end < limit {
            let next = end + length(at: end, text, before: range.upperBound)
            guard next <= limit else { break }
            end = next
        }
        return cut(text, range, at: end)
    }

    private static func cut(_ text: RawSpan, _ range: Range<Int>, at end: Int) -> [UInt8] {
        var written: [UInt8] = []
        written.reserveCapacity(end - range.lowerBound + markMax)
        written.append(text, range.lowerBound..<end)
        written += Array("… [\(range.upperBound - end) bytes cut]".utf8)
        return written
    }

    /// Bytes of the character or escape that begins there; an escaped pair of surrogates is one, and one alone, too.
    private static func length(at offset: Int, _ text: RawSpan, before end: Int) -> Int {
        let byte = text.byte(at: offset)
        guard byte == UInt8(ascii: "\\") else {
            return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4
        }
        guard text.byte(at: offset + 1) == UInt8(ascii: "u") else { return 2 }
        func isSurrogate(_ escape: Int, _ letters: String) -> Bool {
            guard escape + 6 <= end, text.byte(at: escape) == UInt8(ascii: "\\") else { return false }
            return text.byte(at: escape + 1) == UInt8(ascii: "u")
                && text.byte(at: escape + 2) | 0x20 == UInt8(ascii: "d")
                && letters.utf8.contains(text.byte(at: escape + 3) | 0x20)
        }
        return isSurrogate(offset, "89ab") && isSurrogate(offset + 6, "cdef") ? 12 : 6
    }
}
