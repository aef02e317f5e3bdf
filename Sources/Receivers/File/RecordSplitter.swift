import Basics

/// Cuts the content of a file into records; does no I/O.
///
/// Lines of JSON where the content begins with `{`, else messages with a 4-byte big-endian length before each.
struct RecordSplitter {
    /// A request as it stands in the file.
    struct Record: Equatable {
        let bytes: [UInt8]
        /// Where it begins, in bytes of the content.
        let start: Int
        /// Where the next one begins.
        let end: Int
        let isJSON: Bool
        /// Whether its end is certain: a last line without a newline may go on.
        var isEnded = true
    }

    /// What stands next in the content.
    enum Finding: Equatable {
        case record(Record)
        /// What stands there is passed over, and the file goes on at `end`.
        case skipped(start: Int, end: Int, reason: String)
        /// Nothing from there on can be read.
        case broken(start: Int, reason: String)
    }

    private static let newline = UInt8(ascii: "\n")
    private static let lengthBytes = 4

    private let recordMax: ByteCount
    private var buffer: [UInt8] = []
    /// Where the next record begins in the buffer.
    private var next = 0
    /// How far the buffer is known to have no end of the line.
    private var searched = 0
    /// Where the buffer begins in the content.
    private var base: Int
    /// Nil until the first byte that is no white space; then whether lines of JSON follow.
    private var isJSON: Bool?
    /// Where a line begins that is too long, while its end is looked for.
    private var longStart: Int?
    private var isBroken = false

    /// - Parameters:
    ///   - recordMax: The longest record.
    ///   - start: Where the bytes that are appended first stand in the content; a record begins there.
    ///   - isJSON: The form of the content, where `start` is not its beginning.
    init(recordMax: ByteCount, start: Int = 0, isJSON: Bool? = nil) {
        self.recordMax = recordMax
        self.isJSON = isJSON
        base = start
    }

    /// Whether lines of JSON follow; nil while nothing of the content was seen.
    var form: Bool? { isJSON }

    /// Tells the form of content that begins before what is appended.
    mutating func note(_ form: Bool?) { isJSON = form }

    /// Whether content that begins like that is lines of JSON; nil where it is white space so far.
    static func form(of content: some Sequence<UInt8>) -> Bool? {
        content.first { !$0.isJSONSpace }.map { $0 == UInt8(ascii: "{") }
    }

    mutating func append(_ bytes: some Collection<UInt8>) {
        if next > 0 {
            buffer.removeFirst(next)
            (base, searched, next) = (base + next, searched - next, 0)
        }
        buffer += bytes
    }

    /// What stands next; nil while more bytes are needed, or where everything is read.
    ///
    /// Where `isWhole`, nothing is appended any more.
    mutating func finding(isWhole: Bool) -> Finding? {
        guard !isBroken else { return nil }
        if isJSON == nil { isJSON = Self.form(of: buffer[next...]) }
        switch isJSON {
        case nil: return nil
        case true?: return line(isWhole: isWhole)
        case false?: return frame(isWhole: isWhole)
        }
    }

    private mutating func line(isWhole: Bool) -> Finding? {
        while true {
            if let newline = buffer[max(next, searched)...].firstIndex(of: Self.newline) {
                if let finding = take(newline, skipping: 1, isEnded: true) { return finding }
                continue
            }
            searched = buffer.count
            if buffer.count - next > recordMax.bytes {
                longStart = longStart ?? base + next
                next = buffer.count
            }
            guard isWhole, longStart != nil || next < buffer.count else { return nil }
            return take(buffer.count, skipping: 0, isEnded: false)
        }
    }

    /// The line that ends there; nil for an empty one.
    private mutating func take(_ lineEnd: Int, skipping newline: Int, isEnded: Bool) -> Finding? {
        let (start, end) = (longStart ?? base + next, base + lineEnd + newline)
        let line = buffer[next..<lineEnd]
        let isTooLong = longStart != nil || line.count > recordMax.bytes
        (next, searched, longStart) = (lineEnd + newline, lineEnd + newline, nil)
        if isTooLong { return .skipped(start: start, end: end, reason: "the line is longer than \(recordMax)") }
        guard line.contains(where: { !$0.isJSONSpace }) else { return nil }
        return .record(Record(bytes: Array(line), start: start, end: end, isJSON: true, isEnded: isEnded))
    }

    private mutating func frame(isWhole: Bool) -> Finding? {
        let rest = buffer.count - next
        guard rest > 0 else { return nil }
        guard rest >= Self.lengthBytes else { return isWhole ? cut(rest) : nil }
        let length = buffer[next..<next + Self.lengthBytes].reduce(0) { $0 << 8 | Int($1) }
        guard length <= recordMax.bytes else {
            isBroken = true
            let reason =
                "a length of \(length) bytes is more than max_body (\(recordMax)), or the file has another form"
            return .broken(start: base + next, reason: reason)
        }
        guard rest - Self.lengthBytes >= length else { return isWhole ? cut(rest) : nil }
        let (start, begin) = (base + next, next + Self.lengthBytes)
        next = begin + length
        return .record(
            Record(bytes: Array(buffer[begin..<next]), start: start, end: base + next, isJSON: false)
        )
    }

    private mutating func cut(_ rest: Int) -> Finding {
        isBroken = true
        return .broken(start: base + next, reason: "the last message is cut off after \(rest) bytes")
    }
}

extension UInt8 {
    /// White space of JSON (RFC 8259, section 2).
    var isJSONSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0D }
}
