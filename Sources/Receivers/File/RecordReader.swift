import Basics

/// Reads the records of a file from a position on, inflated where it is gzip; blocks for the disk.
///
/// One thread at a time.
struct RecordReader {
    typealias Finding = RecordSplitter.Finding

    /// Bytes after which no further record is read at once.
    private static let bytesMax = 1 << 20
    private static let chunkBytes = 256 << 10
    /// A byte of gzip may become a thousand.
    private static let gzipChunkBytes = 8 << 10
    private static let gzipMagic: [UInt8] = [0x1F, 0x8B]

    let file: OpenedFile
    /// Whether the end of the file is the end of what it holds.
    private let isWhole: Bool
    private let inflater: Inflater?
    private var splitter: RecordSplitter
    /// Bytes of the inflated content that are before the position.
    private var ahead: Int
    private var isAtEnd = false
    private var isOver = false
    /// Why nothing more can be inflated, while records before that are found.
    private var damage: String?
    /// How far the file is read.
    private(set) var offset: Int
    /// Where the content goes on behind what was found.
    private(set) var position: Int

    /// A record begins at `position`, in bytes of the content; where `isWhole`, the end of the file is the end of what it holds.
    init(_ file: OpenedFile, from position: Int, isWhole: Bool, recordMax: ByteCount) throws(FileReadError) {
        self.file = file
        self.isWhole = isWhole
        self.position = position
        let head = try file.read(at: 0, max: 4096)
        inflater = head.starts(with: Self.gzipMagic) ? Inflater(.gzip) : nil
        let form = inflater == nil ? RecordSplitter.form(of: head) : nil
        splitter = RecordSplitter(recordMax: recordMax, start: position, isJSON: form)
        (offset, ahead) = inflater == nil ? (position, 0) : (0, position)
    }

    /// The next findings, so many at most; empty where there is nothing more for now.
    mutating func next(atMost recordsMax: Int = 32) throws(FileReadError) -> [Finding] {
        var (findings, bytes): ([Finding], Int) = ([], 0)
        while findings.count < recordsMax, bytes < Self.bytesMax, !isOver {
            guard let finding = splitter.finding(isWhole: isAtEnd && isWhole && damage == nil) else {
                if let damage {
                    findings.append(.broken(start: position, reason: damage))
                    isOver = true
                } else if isAtEnd {
                    break
                } else {
                    try fill()
                }
                continue
            }
            findings.append(finding)
            switch finding {
            case .record(let record): (bytes, position) = (bytes + record.bytes.count, record.end)
            case .skipped(_, let end, _): position = end
            case .broken: isOver = true
            }
        }
        return findings
    }

    /// Reads on, as far as that can be inflated.
    private mutating func fill() throws(FileReadError) {
        let chunk = inflater == nil ? Self.chunkBytes : Self.gzipChunkBytes
        // What is written meanwhile has its turn after other files.
        let room = isWhole ? chunk : min(chunk, max(0, file.size - offset))
        let bytes = room == 0 ? [] : try file.read(at: offset, max: room)
        offset += bytes.count
        isAtEnd = bytes.isEmpty
        guard let inflater else {
            return splitter.append(bytes)
        }
        do throws(HTTPError) {
            try inflater.inflate(bytes.span.bytes) { piece in
                let before = min(ahead, piece.count)
                if splitter.form == nil { splitter.note(RecordSplitter.form(of: Array(piece))) }
                ahead -= before
                splitter.append(piece.dropFirst(before))
            }
            if isAtEnd, isWhole, offset > 0 { try inflater.finish() }
        } catch {
            damage = error.message
        }
    }
}
