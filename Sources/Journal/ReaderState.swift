/// One reader of a log, as its log's state holds it.
struct ReaderState: Sendable {
    /// Where the next record is read.
    struct Position: Sendable {
        var segment: UInt64
        var offset: Int
        /// The id that the record there should have.
        var expectedID: UInt64
        /// The segment's file, once it is open.
        var file: (any File)?
    }

    let name: String
    /// Whether it settles in an order of its own.
    let isWindow: Bool
    /// Records that it may have been given and not settled.
    var inFlightMax: Int { isWindow ? .max : LogReader.inFlightMax }
    /// Whether it may read; false for a cursor whose reader is not defined.
    private(set) var isDefined: Bool
    /// Rises when it is defined and when it is retired: a `LogReader` of an earlier term is given nothing.
    private(set) var term = 0
    var backlog: Backlog?
    /// Where its account ends, once it is about to be retired: it gets nothing from there on.
    var leavesAt: UInt64?
    var cursor: Cursor
    /// What was finished when it began to read: records that are not handed out again.
    private(set) var resume: IDSet
    /// Nil before the first read, and after its segment went away.
    var position: Position?
    /// Records handed out and not settled.
    var inFlight = 0
    /// Records handed out since the log was opened.
    var handedOut = 0
    /// Somebody waits for something to read.
    var waiter: CheckedContinuation<Void, Never>?
    /// Whether the cursor changed since it was last written.
    var dirty = false
    /// Where the cursor on the disk stands: what is below it may be deleted.
    var persistedLow: UInt64
    /// The end of the log that the disk has with the cursor; 0 before the first write.
    var persistedEnd: UInt64 = 0

    init(
        name: String,
        isDefined: Bool,
        isWindow: Bool = false,
        backlog: Backlog? = nil,
        cursor: Cursor,
        persistedLow: UInt64
    ) {
        self.name = name
        self.isWindow = isWindow
        self.isDefined = isDefined
        self.backlog = backlog
        self.cursor = cursor
        self.resume = cursor.finished
        self.persistedLow = persistedLow
    }

    /// Reads again from what is finished, or not at all.
    mutating func beginTerm(isDefined: Bool) {
        self.isDefined = isDefined
        term += 1
        resume = cursor.finished
        position = nil
        inFlight = 0
        leavesAt = nil
    }

    /// Segments below hold nothing for this reader.
    var needsFrom: UInt64 { cursor.closedID == nil ? cursor.finished.low : .max }
    var persistedNeedsFrom: UInt64 { cursor.closedID == nil ? persistedLow : .max }
}

/// What one visit to a segment is to read.
struct ReadPlan: Sendable {
    let segment: SegmentState
    var position: ReaderState.Position
    /// Records that are not wanted, because the reader finished them before the log was opened.
    let resume: IDSet
    let recordsMax: Int
    /// Records received before are not wanted.
    var since: UInt64 = 0
}

/// What one visit to a segment found.
struct ReadFinding: Sendable {
    var position: ReaderState.Position
    var records: [StoredRecord] = []
    /// Ids that no record has.
    var missing: [Range<UInt64>] = []
    /// Offsets that hold no valid record.
    var damage: [Range<Int>] = []
    /// Why the segment could not be opened; to be tried again.
    var openFailure: FileSystemError?
    /// Of records, for the segment.
    var marks: [RecordMark] = []
}
