import Basics
import Settings

extension ContentTape {
    /// Adds a JSON text (RFC 8259).
    ///
    /// - Returns: Its root; nil, with nothing added, where the text is not valid JSON or too deep, or there is no room for it.
    mutating func append(json range: Range<Int>, of bytes: RawSpan) -> Int? {
        guard hasRoom else { return nil }
        let start = nodes.count
        var reader = TapeReader(range)
        let isRead = reader.read(bytes, onto: &self)
        charge(from: start, size: range.count)
        if !isRead { truncate(to: start) }
        return isRead ? start : nil
    }
}

/// Reads one JSON text onto a tape, as strictly as `JSONScanner`.
///
/// The text is known to be valid UTF-8, because it stands in a span that was validated.
struct TapeReader {
    private var offset: Int
    private let end: Int
    /// The innermost container that is open, and whether it is an object; -1 for none.
    private var container = -1
    private var isInObject = false
    private var depth = 0

    init(_ range: Range<Int>) {
        offset = range.lowerBound
        end = range.upperBound
    }

    /// Whether the text is valid and not too deep.
    mutating func read(_ bytes: RawSpan, onto tape: inout ContentTape) -> Bool {
        precondition(offset >= 0 && end <= bytes.byteCount)
        guard value(bytes, &tape) else { return false }
        while container >= 0 {
            switch nextByte(bytes) {
            case UInt8(ascii: ","):
                offset &+= 1
                guard isInObject ? member(bytes, &tape) : value(bytes, &tape) else { return false }
            case UInt8(ascii: "}") where isInObject, UInt8(ascii: "]") where !isInObject: close(&tape)
            default: return false
            }
        }
        _ = nextByte(bytes)
        return offset == end
    }

    /// Reads a value; of containers that are not empty, up to the first leaf inside.
    private mutating func value(_ bytes: RawSpan, _ tape: inout ContentTape) -> Bool {
        while true {
            let start = offset
            switch nextByte(bytes) {
            case UInt8(ascii: "\""):
                guard let (kind, range) = string(bytes) else { return false }
                _ = tape.append(kind, .json, range)
                return true
            case UInt8(ascii: "{"):
                guard open(.object, &tape) else { return false }
                guard nextByte(bytes) != UInt8(ascii: "}") else {
                    close(&tape)
                    return true
                }
                guard name(bytes, &tape) else { return false }
            case UInt8(ascii: "["):
                guard open(.array, &tape) else { return false }
                guard nextByte(bytes) != UInt8(ascii: "]") else {
                    close(&tape)
                    return true
                }
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return number(bytes, &tape)
            case UInt8(ascii: "t"): return literal("true", .yes, bytes, &tape)
            case UInt8(ascii: "f"): return literal("false", .no, bytes, &tape)
            case UInt8(ascii: "n"): return literal("null", .null, bytes, &tape)
            default:
                offset = start
                return false
            }
        }
    }

    private mutating func member(_ bytes: RawSpan, _ tape: inout ContentTape) -> Bool {
        name(bytes, &tape) && value(bytes, &tape)
    }

    /// Reads the name of a member and its colon.
    @inline(__always)
    private mutating func name(_ bytes: RawSpan, _ tape: inout ContentTape) -> Bool {
        guard nextByte(bytes) == UInt8(ascii: "\""), let (kind, range) = string(bytes) else { return false }
        tape.appendName(kind, .json, range, bytes)
        guard nextByte(bytes) == UInt8(ascii: ":") else { return false }
        offset &+= 1
        return true
    }

    /// Opens a container; a node keeps the one around it until it is closed.
    @inline(__always)
    private mutating func open(_ kind: ContentTape.Kind, _ tape: inout ContentTape) -> Bool {
        guard depth < ContentTape.depthMax else { return false }
        depth &+= 1
        let around = container &+ 1
        container = tape.nodes.count
        isInObject = kind == .object
        tape.nodes.append(ContentTape.Node(kind, .json, Range(uncheckedBounds: (offset, offset)), next: around))
        offset &+= 1
        return true
    }

    @inline(__always)
    private mutating func close(_ tape: inout ContentTape) {
        offset &+= 1
        depth &-= 1
        let around = tape.nodes[container].next &- 1
        tape.end(container, at: offset)
        container = around
        isInObject = around >= 0 && tape.nodes[around].kind == .object
    }

    /// Reads a string from its opening quote to behind its closing one.
    @inline(__always)
    mutating func string(_ bytes: RawSpan) -> (ContentTape.Kind, Range<Int>)? {
        offset &+= 1
        let start = offset
        offset = bytes.endOfStringRun(from: start, to: end)
        guard offset < end else { return nil }
        if bytes.byte(at: offset) == UInt8(ascii: "\"") {
            offset &+= 1
            return (.text, Range(uncheckedBounds: (start, offset &- 1)))
        }
        guard escapedString(bytes) else { return nil }
        offset &+= 1
        return (.escaped, Range(uncheckedBounds: (start, offset &- 1)))
    }

    /// Moves from an escape, or from a byte that may not be there, to the closing quote.
    private mutating func escapedString(_ bytes: RawSpan) -> Bool {
        while offset < end {
            switch bytes.byte(at: offset) {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"): guard escape(bytes) else { return false }
            default: return false
            }
            offset = bytes.endOfStringRun(from: offset, to: end)
        }
        return false
    }

    private mutating func escape(_ bytes: RawSpan) -> Bool {
        guard offset &+ 1 < end else { return false }
        switch bytes.byte(at: offset &+ 1) {
        case UInt8(ascii: "u"):
            guard offset &+ 6 <= end else { return false }
            for position in offset &+ 2..<offset &+ 6 where bytes.byte(at: position).hexDigit == nil { return false }
            offset &+= 6
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset &+= 2
        default: return false
        }
        return true
    }

    private mutating func literal(
        _ word: StaticString,
        _ kind: ContentTape.Kind,
        _ bytes: RawSpan,
        _ tape: inout ContentTape
    ) -> Bool {
        let range = offset..<offset + word.utf8CodeUnitCount
        guard range.upperBound <= end, bytes.equals(word, range) else { return false }
        _ = tape.append(kind, .json, range)
        offset = range.upperBound
        return true
    }

    private mutating func number(_ bytes: RawSpan, _ tape: inout ContentTape) -> Bool {
        let start = offset
        if byte(bytes) == UInt8(ascii: "-") { offset &+= 1 }
        let first = offset
        guard digits(bytes), offset == first &+ 1 || bytes.byte(at: first) != UInt8(ascii: "0") else { return false }
        if byte(bytes) == UInt8(ascii: ".") {
            offset &+= 1
            guard digits(bytes) else { return false }
        }
        if byte(bytes) | 0x20 == UInt8(ascii: "e") {
            offset &+= 1
            if byte(bytes) == UInt8(ascii: "+") || byte(bytes) == UInt8(ascii: "-") { offset &+= 1 }
            guard digits(bytes) else { return false }
        }
        _ = tape.append(.number, .json, start..<offset)
        return true
    }

    /// Moves past digits; false where there is none.
    private mutating func digits(_ bytes: RawSpan) -> Bool {
        let start = offset
        while offset < end, bytes.byte(at: offset).isDigit { offset &+= 1 }
        return offset > start
    }

    /// The byte at `offset`; 0 at the end.
    @inline(__always)
    private func byte(_ bytes: RawSpan) -> UInt8 { offset < end ? bytes.byte(at: offset) : 0 }

    /// Moves past white space; the byte then at `offset`, 0 at the end.
    @inline(__always)
    private mutating func nextByte(_ bytes: RawSpan) -> UInt8 {
        while offset < end {
            let byte = bytes.byte(at: offset)
            guard byte <= UInt8(ascii: " ") else { return byte }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): offset &+= 1
            default: return byte
            }
        }
        return 0
    }
}
