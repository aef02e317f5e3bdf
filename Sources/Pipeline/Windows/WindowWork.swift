package import Journal

/// What a window reads.
package enum WindowSource: Sendable, Hashable {
    /// The pipeline's spans.
    case spans
    /// Its log records, for those that belong to spans.
    case logs
}

/// A log that a window reads.
package struct WindowInput: Sendable {
    package let log: Log
    package let reader: LogReader
    /// Told what is settled of each route.
    package let shares: DestinationShares?

    package init(log: Log, reader: LogReader, shares: DestinationShares? = nil) {
        self.log = log
        self.reader = reader
        self.shares = shares
    }
}

/// What is to be carried out.
enum WindowWork: Sendable {
    case decision(WindowDecision)
    /// A record of spans of several traces, or of none: it goes on at once.
    case passing(UInt64)

    /// Whether a record of spans went ahead, if it is settled.
    func wentAhead(_ id: UInt64) -> Bool {
        guard case .decision(let decision) = self else { return false }
        return id < decision.shownEnd && id != decision.records.first
    }

    /// Whether it is of a trace that is open, whose records are needed again.
    var staysOpen: Bool {
        if case .decision(let decision) = self { decision.reason == .open } else { false }
    }

    /// Why its trace does not wait any longer; nil for what is of no trace.
    var reason: WindowDecision.Reason? {
        if case .decision(let decision) = self { decision.reason } else { nil }
    }

    /// The ids of its records.
    func records(of source: WindowSource) -> [UInt64] {
        switch (self, source) {
        case (.decision(let decision), .spans): decision.records
        case (.decision(let decision), .logs): decision.logRecords
        case (.passing(let id), .spans): [id]
        case (.passing, .logs): []
        }
    }
}

/// What a record is to a window.
enum WindowSight: Sendable {
    case spans(TraceKey, [SpanSighting], TraceForesight, Sender)
    case logs(TraceKey, Sender)
    /// Log records of a turn of a session: where they lie, and what they say of it.
    case turn(TraceKey, TurnSighting, Sender)
    /// Spans of several traces, or of none; of those that a sampler decides about, which ones.
    case passing([TraceKey])
    /// A record of log records that belong to no span: it is done with.
    case unwanted(RecordMetadata)
    case unreadable
}

/// A window at the end of its process.
struct WindowDrain: Sendable {
    let decidesAll: Bool
    /// What is due so soon is decided, too.
    let ahead: Duration
    /// What was there when it began.
    let ends: [WindowSource: UInt64]
    /// Whether all of that was decided that will be.
    var isDecided = false
}
