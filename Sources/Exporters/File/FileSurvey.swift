import Basics
import Glibc

/// What stands in an existing file, as far as an exporter of one format can have left it.
enum FileEnd: Equatable {
    /// Whole records, or nothing.
    case whole
    /// A record that a crash cut off begins there and reaches to the end.
    case torn(at: Int)
    /// Only the line end of the last record is missing.
    case unended
    /// Something that the exporter did not write, or that is damaged; the text says what.
    case foreign(String)
}

/// Looks at a file before anything is appended to it or replaces it; changes nothing.
///
/// Only what must be one record of the exporter that a crash cut off is called torn: it begins as a record does, everything
/// in it belongs to a single record, the records beside it are whole, and it is of a bounded length. Everything else is
/// foreign, even where most of it could be read.
struct FileSurvey {
    /// The longest torn record that is recognised.
    static let tornBytesMax = 64 << 20
    private static let chunkBytes = 64 << 10
    /// How each line begins.
    private static let lineHead = Array(#"{"resource"#.utf8)
    /// The tag of field 1, the only one of `TracesData`, `MetricsData` and `LogsData`.
    private static let partTag: UInt8 = 0x0A

    let descriptor: Int32
    let path: String
    let size: Int

    /// Where the records of a file in this format end.
    func end(of format: FileSettings.Format) throws(FileTrouble) -> FileEnd {
        guard size > 0 else { return .whole }
        switch format {
        case .json: return try endOfLines()
        case .protobuf: return try endOfFrames()
        }
    }

    /// Whether the file begins as one in this format does.
    func begins(as format: FileSettings.Format) throws(FileTrouble) -> Bool {
        guard size > 0 else { return true }
        switch format {
        case .json: return try read(0..<1) == [UInt8(ascii: "{")]
        case .protobuf:
            guard size >= 4 else { return false }
            return try frameBytes(at: 0) <= size
        }
    }

    private func read(_ range: Range<Int>) throws(FileTrouble) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var filled = 0
        while filled < range.count {
            let count = bytes.withUnsafeMutableBytes { bytes in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[filled...])
                return unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(range.lowerBound + filled))
            }
            if count == 0 { throw FileTrouble("read", path, reason: "it became shorter meanwhile") }
            guard count > 0 || errno == EINTR else { throw FileTrouble("read", path) }
            filled += max(0, count)
        }
        return bytes
    }

    /// Hands the bytes of a range over in pieces until `body` returns false; whether it never did.
    private func forEachChunk(
        of range: Range<Int>,
        _ body: ([UInt8]) -> Bool
    ) throws(FileTrouble) -> Bool {
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + Self.chunkBytes, range.upperBound)
            guard body(try read(start..<end)) else { return false }
            start = end
        }
        return true
    }

    /// Pages that were allocated and never written read as zeros after a crash.
    private func isZero(_ range: Range<Int>) throws(FileTrouble) -> Bool {
        try forEachChunk(of: range) { $0.allSatisfy { $0 == 0 } }
    }
}

// Lines of JSON.
extension FileSurvey {
    private func endOfLines() throws(FileTrouble) -> FileEnd {
        guard try begins(as: .json) else { return .foreign("it does not begin with a line of JSON") }
        guard let start = try startOfLastLine() else {
            return .foreign("what follows its last line end is too long for a torn record")
        }
        guard start < size else { return .whole }
        if start > 0, try isZero(start..<size) { return .torn(at: start) }
        let head = try read(start..<min(start + Self.lineHead.count, size))
        guard Self.lineHead.starts(with: head) else {
            return .foreign("what follows its last line end is no torn record")
        }
        var nesting = JSONNesting()
        let isOneObject = try forEachChunk(of: start..<size) { nesting.take($0) }
        guard isOneObject else { return .foreign("what follows its last line end is no torn record") }
        return nesting.isClosed ? .unended : .torn(at: start)
    }

    /// Behind the last newline; the file's start where there is none, and nil where it is too far away.
    private func startOfLastLine() throws(FileTrouble) -> Int? {
        var upper = size
        while upper > 0, size - upper <= Self.tornBytesMax {
            let lower = max(0, upper - Self.chunkBytes)
            let chunk = try read(lower..<upper)
            if let newline = chunk.lastIndex(of: UInt8(ascii: "\n")) { return lower + newline + 1 }
            upper = lower
        }
        return size <= Self.tornBytesMax ? 0 : nil
    }
}

/// Follows the braces of one JSON object, which need not be whole.
private struct JSONNesting {
    private var depth = 0
    private var isInText = false
    private var isEscaped = false
    /// Whether the object has ended.
    private(set) var isClosed = false

    /// Goes on with the next bytes; false where something follows the object.
    mutating func take(_ bytes: [UInt8]) -> Bool {
        for byte in bytes {
            if isClosed { return false }
            if isInText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInText = true
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                isClosed = depth <= 0
            default: break
            }
        }
        return true
    }
}

// Frames of protobuf.
extension FileSurvey {
    /// How far the fields of a message go that ends where it is told.
    private enum Fields: Equatable {
        /// To the end exactly.
        case whole
        /// The last of them goes beyond it.
        case cut
        /// Something else than fields stands there.
        case others(at: Int)
    }

    private func endOfFrames() throws(FileTrouble) -> FileEnd {
        var offset = 0
        var (first, last): (Range<Int>?, Range<Int>?)
        while size - offset >= 4 {
            let frameEnd = try offset + frameBytes(at: offset)
            guard frameEnd <= size else { break }
            first = first ?? offset + 4..<frameEnd
            last = offset + 4..<frameEnd
            offset = frameEnd
        }
        guard offset < size else { return .whole }
        for frame in [first, last].compactMap({ $0 }) {
            let fields = try fields(in: frame)
            if fields != .whole { return .foreign("the frames before byte \(offset) are no records") }
        }
        if size - offset < 4 {
            return last == nil ? .foreign("it has no record") : .torn(at: offset)
        }
        return try endOfLastFrame(at: offset)
    }

    /// Of the frame at `offset`, whose length goes beyond the end of the file.
    private func endOfLastFrame(at offset: Int) throws(FileTrouble) -> FileEnd {
        guard try frameBytes(at: offset) <= Self.tornBytesMax else {
            return .foreign("the length at byte \(offset) is damaged, or none")
        }
        let content = offset + 4..<size
        guard !content.isEmpty else { return .torn(at: offset) }
        switch try fields(in: content) {
        case .cut: return .torn(at: offset)
        // A whole record whose length is damaged looks like this too.
        case .whole: return .foreign("the length at byte \(offset) may be damaged")
        case .others(let place):
            if try isZero(place..<size) { return .torn(at: offset) }
            return .foreign("more than one record follows byte \(offset)")
        }
    }

    private func fields(in range: Range<Int>) throws(FileTrouble) -> Fields {
        var offset = range.lowerBound
        while offset < range.upperBound {
            // A tag and a length of at most 5 bytes.
            let head = try read(offset..<min(offset + 6, range.upperBound))
            guard head[0] == Self.partTag else { return .others(at: offset) }
            var length = 0
            guard let count = head.dropFirst().firstIndex(where: { $0 < 0x80 }) else {
                return head.count < 6 ? .cut : .others(at: offset)
            }
            for (index, byte) in head[1...count].enumerated() { length |= Int(byte & 0x7F) << (7 * index) }
            offset += 1 + count + length
        }
        return offset == range.upperBound ? .whole : .cut
    }

    /// Of the frame that begins there, its length included.
    private func frameBytes(at offset: Int) throws(FileTrouble) -> Int {
        try read(offset..<offset + 4).reduce(0) { $0 << 8 | Int($1) } + 4
    }
}
