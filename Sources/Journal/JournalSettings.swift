package import Basics

/// When written groups become durable.
package enum SyncMode: Sendable, Equatable {
    /// One fdatasync shared by all groups that wait; nothing is answered or read before it.
    case everyGroup
    /// At that interval; groups settle once written, and what came since the last sync can be lost with the power.
    case interval(Duration)
    /// Left to the operating system.
    case never
}

/// Where the records are kept.
package enum JournalStorage: Sendable, Equatable {
    /// In the journal's directory.
    case disk
    /// In the process: the same behaviour, and nothing survives it.
    case memory
}

/// What happens to new groups when the budget is used up.
package enum FullPolicy: Sendable, Equatable {
    /// They settle as `CommitResult.full`.
    case reject
    /// The oldest segments go; what their readers had not finished counts as expired.
    case dropOldest
}

/// What the journal may use and how it behaves at its limits.
package struct JournalSettings: Sendable, Equatable {
    /// Created where missing; each log has a folder in it.
    package var directory: String
    package var storage: JournalStorage
    package var sync: SyncMode
    /// Of all segments of all logs, preallocated space included; those of dead letters have limits of their own.
    ///
    /// Checked when a segment is created. At the limit `whenFull` decides.
    package var maxBytes: ByteCount
    /// Left free on the file system.
    ///
    /// Checked when a segment is created. At the limit `whenFull` decides.
    package var minFree: ByteCount
    /// The size of a segment; an eighth of `maxBytes` or of the smallest backlog where that is less.
    ///
    /// A group that does not fit gets a segment of its own.
    package var segment: ByteCount
    /// Segments whose newest record is older expire whole.
    package var maxAge: Duration
    /// Segments that every reader has passed stay until their newest record is older, as long as nothing else needs their
    /// bytes of `maxBytes`; those of dead letters do not.
    package var retain: Duration
    package var whenFull: FullPolicy
    /// Of groups that wait for the journal's thread; beyond it they settle as `CommitResult.full`.
    package var queueBytesMax: ByteCount
    /// The names of parts that logs of pipelines may have, for finding those that are no longer defined.
    package var parts: Set<String> = []

    /// The defaults of the pipeline file's `journal` section.
    package init(
        directory: String = "millrace-data",
        storage: JournalStorage = .disk,
        sync: SyncMode = .everyGroup,
        maxBytes: ByteCount = .gibibytes(2),
        minFree: ByteCount = .mebibytes(256),
        segment: ByteCount = .mebibytes(64),
        maxAge: Duration = .seconds(168 * 3600),
        retain: Duration = .zero,
        whenFull: FullPolicy = .reject,
        queueBytesMax: ByteCount = .mebibytes(128)
    ) {
        self.directory = directory
        self.storage = storage
        self.sync = sync
        self.maxBytes = maxBytes
        self.minFree = minFree
        self.segment = segment
        self.maxAge = maxAge
        self.retain = retain
        self.whenFull = whenFull
        self.queueBytesMax = queueBytesMax
    }
}

/// One log of the journal and who reads it.
package struct LogDefinition: Sendable {
    /// What a log is for.
    package enum Role: Sendable, Equatable {
        /// Records that readers get one after the other.
        case items
        /// What one exporter of the pipeline could not deliver, in a budget of its own; DeadLetters.swift says more.
        case deadLetters(DeadLetterLimits)

        /// Nil for an ordinary log.
        var limits: DeadLetterLimits? {
            if case .deadLetters(let limits) = self { limits } else { nil }
        }
    }

    package var id: LogID
    package var role: Role
    /// In a log of dead letters exactly one, with the name of the exporter.
    package var readers: [ReaderDefinition]
    /// The log that its records are moved from (`RecordMove`); nil for one that is no target of moves.
    package var source: LogID?

    package init(_ id: LogID, role: Role = .items, readers: [ReaderDefinition], source: LogID? = nil) {
        self.id = id
        self.role = role
        self.readers = readers
        self.source = source
    }
}

/// What the dead letters of one exporter may use; beyond it their oldest segment expires whole.
package struct DeadLetterLimits: Sendable, Equatable {
    /// Of all segments, preallocated space included; a larger group fails.
    package var maxBytes: ByteCount
    /// Segments whose newest record is older expire.
    package var maxAge: Duration

    /// The defaults of the pipeline file.
    package init(maxBytes: ByteCount = .mebibytes(64), maxAge: Duration = .seconds(720 * 3600)) {
        self.maxBytes = maxBytes
        self.maxAge = maxAge
    }
}

/// One reader of a log.
package struct ReaderDefinition: Sendable {
    /// Where a reader without a cursor begins.
    package enum Start: Sendable {
        /// With what is appended from now on.
        case newest
        /// With the oldest record that is still there.
        case oldest
    }

    package var name: String
    package var start: Start
    /// How far behind it may be; nil for no limit but the journal's.
    package var backlog: Backlog?
    /// Whether it settles records in an order of its own, and holds as many of them as it likes.
    ///
    /// Its cursor has room for 262,136 ranges; others are given no more than `LogReader.inFlightMax` records at a time.
    package var isWindow: Bool

    package init(name: String, start: Start = .newest, backlog: Backlog? = nil, isWindow: Bool = false) {
        self.name = name
        self.start = start
        self.backlog = backlog
        self.isWindow = isWindow
    }
}

/// How far behind one reader of an ordinary log may be.
package struct Backlog: Sendable, Equatable {
    /// What happens at the limit.
    package enum Policy: Sendable, Equatable {
        /// New groups for the log settle as `CommitResult.full` until the reader has finished enough.
        case reject
        /// The reader's cursor moves past its oldest segments, which counts as expired; other readers do not notice.
        case expire
    }

    /// Of the log's segments from the first that the reader has not finished.
    ///
    /// Segments are made no larger than an eighth of it. One segment it may always have: what a large record takes.
    package var maxBytes: ByteCount
    package var whenFull: Policy

    package init(maxBytes: ByteCount, whenFull: Policy = .reject) {
        self.maxBytes = maxBytes
        self.whenFull = whenFull
    }
}
