import Basics

/// One pass over a text for all detectors: it stops at the few bytes at which something can be recognised and asks those that
/// may find something there.
///
/// Costs about one instruction for each byte of a text without candidates. `work` counts what candidates cost on top.
struct BytePass: Sendable {
    /// Stops everywhere at the singles, and at the firsts where one of the seconds follows.
    static let marks = ByteMarks("-_@:=~/J\\", "ASdbBU", before: "KSBCIGaek")

    /// By the detectors' numbers.
    private let isOn: [Bool]
    let stubsMedia: Bool
    var hits: [Hit] = []
    /// Texts that come in the place of single hits.
    var texts: [[UInt8]] = []
    /// Bytes that were looked at again for candidates.
    var work = 0
    /// What `work` may become; the pass ends there, about, and has not seen the rest.
    var workMax = Int.max
    /// Whether there was a backslash in the text passed last.
    var hasBackslash = false
    /// Whether there may have been a name in quotes before a colon.
    var hasMember = false
    /// The text that is being passed.
    var start = 0
    var end = 0
    /// Bytes of media in the text passed last, which are not scanned.
    var skipped = 0
    /// Where the pass goes on: what stands before has been found.
    var resume = 0
    /// Where the pass stops in the next parts of the text, kept for its memory.
    var parts = [UInt64](repeating: 0, count: ByteMarks.partsMax)

    init(_ detectors: Set<Detector>, stubsMedia: Bool) {
        isOn = Detector.allCases.map(detectors.contains)
        self.stubsMedia = stubsMedia
    }

    /// Whether a detector works.
    @inline(__always) func finds(_ detector: Detector) -> Bool { isOn[detector.number] }

    /// The byte at `offset`; 0 outside of the text.
    @inline(__always)
    func byte(_ text: RawSpan, _ offset: Int) -> UInt8 { offset >= start && offset < end ? text.byte(at: offset) : 0 }

    /// What the byte at `offset` is; nothing outside of the text.
    @inline(__always)
    func kind(_ text: RawSpan, _ offset: Int) -> ByteClass {
        offset >= start && offset < end ? ByteClass.of(text.byte(at: offset)) : []
    }

    /// Whether the byte at `offset` is one of an alphabet.
    @inline(__always)
    func isOne(_ text: RawSpan, _ offset: Int, of alphabet: ByteClass) -> Bool {
        !kind(text, offset).isDisjoint(with: alphabet)
    }

    /// Where the bytes of an alphabet end that stand from `offset` on, of `max` at most.
    mutating func run(_ text: RawSpan, from offset: Int, of alphabet: ByteClass, max: Int) -> Int {
        var end = offset
        while end &- offset < max, isOne(text, end, of: alphabet) { end &+= 1 }
        work &+= end &- offset
        return end
    }

    /// Where the bytes of an alphabet begin that stand before `offset`, of `max` at most.
    mutating func runBack(_ text: RawSpan, from offset: Int, of alphabet: ByteClass, max: Int) -> Int {
        var start = offset
        while offset &- start < max, isOne(text, start &- 1, of: alphabet) { start &-= 1 }
        work &+= offset &- start
        return start
    }

    /// Whether a word stands at `offset`.
    func has(_ word: StaticString, _ text: RawSpan, at offset: Int) -> Bool {
        offset >= start && offset &+ word.utf8CodeUnitCount <= end
            && text.equals(word, offset..<offset &+ word.utf8CodeUnitCount)
    }

    mutating func add(_ range: Range<Int>, _ detector: Detector) {
        guard finds(detector), !range.isEmpty else { return }
        hits.append(Hit(range: range, label: detector.number))
    }

    /// Looks for everything in the bytes of `range`.
    mutating func scan(_ text: RawSpan, _ range: Range<Int>) {
        (start, end, resume) = (range.lowerBound, range.upperBound, range.lowerBound)
        (skipped, hasBackslash, hasMember) = (0, false, false)
        if stubsMedia { bareMedia(text, at: start) }
        var offset = start
        while offset < end, work <= workMax {
            if resume >= offset &+ 64 {
                offset &+= (resume &- offset) & ~63
                continue
            }
            let count = Self.marks.find(in: text, from: offset, to: end, into: &parts)
            for part in 0..<count where work <= workMax {
                var stops = parts[part]
                while stops != 0 {
                    let position = offset &+ stops.trailingZeroBitCount
                    stops &= stops &- 1
                    if position >= resume { stop(text, at: position) }
                }
                offset &+= 64
            }
        }
    }

    /// Two bytes from `offset`, the first in the upper half.
    @inline(__always)
    private func pair(_ text: RawSpan, _ offset: Int) -> Int {
        Int(byte(text, offset)) << 8 | Int(byte(text, offset &+ 1))
    }

    mutating func stop(_ text: RawSpan, at position: Int) {
        switch text.byte(at: position) {
        case UInt8(ascii: "-"):
            if TokenShape.isBeforeMark[pair(text, position &- 2)] { token(text, at: position) }
            if byte(text, position &+ 1) == UInt8(ascii: "-") { privateKey(text, at: position) }
        case UInt8(ascii: "_"):
            if TokenShape.isBeforeMark[pair(text, position &- 2)] { token(text, at: position) }
        case UInt8(ascii: "A"), UInt8(ascii: "S"), UInt8(ascii: "d"):
            if TokenShape.isAfterMark[pair(text, position &+ 1)] { token(text, at: position) }
        case UInt8(ascii: "@"): address(text, at: position)
        case UInt8(ascii: ":"):
            if isOne(text, position &- 1, of: [.space, .wrapper]) { hasMember = true }
            assignment(text, at: position)
            if stubsMedia { dataAddress(text, at: position) }
            if finds(.ip) { networkAddress(text, at: position) }
        case UInt8(ascii: "="): assignment(text, at: position)
        case UInt8(ascii: "~"): azureSecret(text, at: position)
        case UInt8(ascii: "/"): slackHook(text, at: position)
        case UInt8(ascii: "J"): webToken(text, at: position)
        case UInt8(ascii: "b"), UInt8(ascii: "B"):
            if !isOne(text, position &- 1, of: .word) { scheme(text, at: position) }
        case UInt8(ascii: "\\"): hasBackslash = true
        case UInt8(ascii: "U"): break
        // Digits behind a small letter are a part of its word.
        default: if !isOne(text, position &- 1, of: .lower) { number(text, at: position) }
        }
    }
}
