import Basics
import Logging
import Synchronization

/// The newest segment of a log while it is written.
struct OpenSegment {
    let file: any File
    let path: String
    let header: SegmentHeader
    let capacity: Int
    /// Where the next record goes.
    var placedOffset = SegmentHeader.areaBytes
    /// What was placed and not written.
    var pieces: [[UInt8]] = []
    var tail: [UInt8] = []
    var written: SegmentExtent
    var synced: SegmentExtent

    /// Payloads below this are copied behind their header, which costs less than another piece of the write.
    private static let copiedBytesMax = 2048

    init(file: any File, path: String, header: SegmentHeader, capacity: Int) {
        self.file = file
        self.path = path
        self.header = header
        self.capacity = capacity
        self.written = SegmentExtent(
            endOffset: SegmentHeader.areaBytes,
            endID: header.firstID,
            lastReceivedAt: header.firstReceivedAt
        )
        self.synced = written
    }

    /// Adds one record behind the last.
    mutating func place(_ record: NewRecord, _ header: RecordHeader) {
        header.encode(metadata: record.metadata, payload: record.payload, in: self.header, to: &tail)
        if record.payload.count < Self.copiedBytesMax {
            tail += record.payload
        } else {
            pieces.append(tail)
            pieces.append(record.payload)
            tail = []
        }
        let bytes = header.recordBytes
        let padding = bytes - RecordHeader.byteCount - header.metadataBytes - header.payloadBytes
        for _ in 0..<padding { tail.append(0) }
        placedOffset += bytes
    }

    /// What was placed since the last call, to be written at `written.endOffset`.
    mutating func takePieces() -> [[UInt8]] {
        defer {
            pieces = []
            tail = []
        }
        return tail.isEmpty ? pieces : pieces + [tail]
    }
}

/// Writes one log; on the journal's thread only.
final class SegmentWriter {
    let core: LogCore
    /// By the name of their reader.
    var cursors: [String: CursorFile]
    private(set) var open: OpenSegment?
    /// The id of the next record.
    private(set) var nextID: UInt64
    private var nextNumber: UInt64
    /// Groups of this round whose result is still open, by their position in it.
    var awaitingSync: [Int] = []
    /// Whether one of them waits for the sync.
    var isAwaited = false
    private var lastReceivedAt: UInt64 = 0
    /// Of groups that are not readable yet.
    private var marks: [RecordMark] = []
    private var held: [Range<UInt64>] = []
    private var followed: [FollowedRecords.Record] = []
    private var moves: [RecordMove] = []
    private let publishesUnsynced: Bool

    init(_ log: RecoveredLog, publishesUnsynced: Bool) {
        core = log.core
        cursors = log.cursors
        nextID = log.core.state.withLock { $0.endID }
        nextNumber = log.nextNumber
        self.publishesUnsynced = publishesUnsynced
    }

    var hasUnwritten: Bool { open.map { $0.placedOffset > $0.written.endOffset } ?? false }
    var hasUnsynced: Bool { open.map { $0.written.endOffset > $0.synced.endOffset } ?? false }

    /// What was placed and cannot be read yet.
    var unpublishedBytes: Int {
        guard let open else { return 0 }
        return open.placedOffset - (publishesUnsynced ? open.written : open.synced).endOffset
    }

    /// Whether nothing of it is on its way to the disk.
    var isIdle: Bool { awaitingSync.isEmpty && !hasUnwritten && !hasUnsynced }

    /// Whether `bytes` more fit into the open segment.
    func fits(_ bytes: Int) -> Bool {
        guard let open else { return false }
        return open.placedOffset + bytes <= open.capacity
    }

    /// Adds one group's records of this log to the open segment.
    func place(_ records: [NewRecord], receivedAt: UnixTime) {
        if let offset = open?.placedOffset {
            marks.append(RecordMark(id: nextID, time: receivedAt.nanoseconds, offset: offset))
        }
        for (position, record) in records.enumerated() {
            let header = RecordHeader(
                metadataBytes: record.metadata.count,
                payloadBytes: record.payload.count,
                items: record.items,
                id: nextID,
                receivedAt: (record.receivedAt ?? receivedAt).nanoseconds,
                groupPosition: UInt32(truncatingIfNeeded: position),
                groupCount: UInt32(truncatingIfNeeded: records.count),
                kind: record.kind
            )
            open?.place(record, header)
            if record.kind == .deadLetter, core.role != .items { held.append(nextID..<header.endID) }
            nextID = header.endID
        }
        lastReceivedAt = receivedAt.nanoseconds
    }

    /// Settles records of another log once what is placed in this one next can be read.
    func settle(_ moves: [RecordMove]) {
        self.moves += moves
    }

    /// Follows the records among `entries` that are placed in this log next.
    func follow(_ entries: [NewRecord], _ notice: SettlementNotice) {
        let readers = notice.readers.filter { $0.log == core.id }.map(\.name)
        guard !readers.isEmpty else { return }
        var id = nextID
        var ids: [UInt64] = []
        for (position, entry) in entries.enumerated() where entry.log == core.id {
            let items = UInt64(entry.items)
            followed.append(.init(id: id, items: items, entry: position, notice: notice, readers: readers))
            ids.append(id)
            id += items
        }
        notice.note(ids, in: core)
    }

    /// Writes what was placed.
    func write() throws(FileSystemError) {
        guard hasUnwritten, let open else { return }
        let pieces = self.open?.takePieces() ?? []
        try open.file.writeAll(pieces, at: open.written.endOffset, path: open.path)
        let extent = SegmentExtent(endOffset: open.placedOffset, endID: nextID, lastReceivedAt: lastReceivedAt)
        self.open?.written = extent
        if publishesUnsynced { publish(extent) }
    }

    /// Makes what was written durable, and readable where it was not.
    func sync() throws(FileSystemError) {
        guard hasUnsynced, let open else { return }
        try open.file.sync()
        self.open?.synced = open.written
        if !publishesUnsynced { publish(open.written) }
    }

    private func publish(_ extent: SegmentExtent) {
        let (waiters, calls) = core.update { state in
            let waiters = state.publish(extent, marks: marks, held: held, followed: followed)
            return (waiters, moves.flatMap { $0.reader.move($0.settled).calls })
        }
        forgetUnpublished()
        for waiter in waiters { waiter.resume() }
        for call in calls { call() }
    }

    private func forgetUnpublished() {
        marks = []
        held = []
        followed = []
        moves = []
    }

    /// Takes a failed write or sync as the end of the segment: what was not readable before never will be.
    ///
    /// The same pages are never synced again, because the system may have dropped them and would report success.
    func giveUp() {
        guard let open else { return }
        let kept = publishesUnsynced ? open.written : open.synced
        nextID = kept.endID
        forgetUnpublished()
        finishSegment(at: kept.endOffset)
    }

    /// Ends the open segment, which is written and synced, and gives back the space that it did not use.
    func seal() {
        if let open { finishSegment(at: open.written.endOffset) }
    }

    private func finishSegment(at offset: Int) {
        guard let open else { return }
        var bytes = offset
        do throws(FileSystemError) {
            try open.file.truncate(to: offset)
        } catch {
            bytes = open.capacity
            core.logger.warning("A segment cannot be shortened.", metadata: ["cause": "\(error)"])
        }
        self.open = nil
        let empty = core.state.withLock { state in
            state.seal(bytes: bytes)
            return offset == SegmentHeader.areaBytes ? state.removeEmptyNewest() : nil
        }
        // Without it every attempt on a failing disk would leave a file.
        if let empty { try? core.fileSystem.remove(empty.path) }
    }

    /// Gives no id below `id` any more; nothing is on its way to the disk.
    func skip(to id: UInt64) {
        seal()
        nextID = id
        core.state.withLock { $0.extend(to: id) }
    }

    /// Creates the next segment.
    func start(
        bytes: Int,
        firstReceivedAt: UnixTime,
        using generator: inout some RandomNumberGenerator
    )
        throws(FileSystemError)
    {
        let header = SegmentHeader(
            salt: .random(in: .min ... .max, using: &generator),
            marker: .random(in: 1 ... .max, using: &generator),
            number: nextNumber,
            firstID: nextID,
            firstReceivedAt: firstReceivedAt.nanoseconds
        )
        let path = core.directory + "/" + FileName.segment(nextNumber)
        let file = try core.fileSystem.open(path, .create)
        // A number is never used twice, so that a file that could not be removed is never taken for this one.
        nextNumber += 1
        do throws(FileSystemError) {
            try file.preallocate(bytes)
            try file.writeAll([header.encoded], at: 0, path: path)
            try core.fileSystem.syncDirectory(core.directory)
        } catch {
            try? core.fileSystem.remove(path)
            throw error
        }
        let segment = SegmentState(
            path: path,
            header: header,
            bytes: bytes,
            endOffset: SegmentHeader.areaBytes,
            endID: nextID,
            sealed: false,
            lastReceivedAt: header.firstReceivedAt
        )
        core.state.withLock { $0.add(segment) }
        open = OpenSegment(file: file, path: path, header: header, capacity: bytes)
    }
}
