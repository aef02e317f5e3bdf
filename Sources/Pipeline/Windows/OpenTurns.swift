import Basics
import OTLP

/// Turns of sessions of which only log records came, and until when they wait.
///
/// A turn that is answered and waits for no tool goes on `wait` after its last record, another one `openWait` after it. Records that
/// name a trace are given back where spans of that come (`take(naming:)`): the session sends spans then, and nothing is made of what
/// is left. Reads no clock, like `TraceWindow`; the oldest turns go on early where they take more than a quarter of `memory`.
struct OpenTurns: Sendable {
    /// A record of log records.
    struct Record: Sendable, Equatable {
        let id: UInt64
        let bytes: Int
        /// The trace that it names; nil for none.
        let trace: TraceKey?
    }

    /// A turn that does not wait any longer.
    struct Ended: Sendable, Equatable {
        let key: TraceKey
        let records: [Record]
        let reason: WindowDecision.Reason
        let isOneTurn: Bool
        /// Whether spans of the session came, so that nothing is made of its records.
        let hasSpans: Bool
    }

    private struct Turn: Sendable {
        var records: [Record] = []
        var bytes = 0
        var isOneTurn = true
        var isAnswered = false
        var hasSpans = false
        /// Calls of tools that have begun and not ended, and those that ended.
        var open: Set<Int> = []
        var ended: Set<Int> = []
        /// When it came, and when it is due, in nanoseconds.
        var since: Int64 = 0
        var due: Int64 = 0

        var memory: Int {
            MemoryLayout<Turn>.stride + 2 * MemoryLayout<TraceKey>.stride
                + records.count * (MemoryLayout<Record>.stride + 2 * MemoryLayout<TraceKey>.stride)
                + (open.count + ended.count) * 2 * MemoryLayout<Int>.stride
        }
    }

    /// How often it looks for what is due, at most: each look is at all turns.
    private static let lookPause: Int64 = 100_000_000

    private let settings: WindowSettings
    private var turns: [TraceKey: Turn] = [:]
    /// Which turns hold records that name a trace.
    private var naming: [TraceKey: Set<TraceKey>] = [:]
    private var ready: [Ended] = []
    private var now: Int64 = 0
    /// No turn is due before.
    private var look: Int64?
    private(set) var memoryBytes = 0

    init(_ settings: WindowSettings) { self.settings = settings }

    var count: Int { turns.count }
    /// Turns that have ended and that nobody has asked for yet.
    var readyCount: Int { ready.count }
    /// The moment at which something may be due; nil while nothing waits.
    var nextDue: Duration? { ready.isEmpty ? look.map { .nanoseconds($0) } : .nanoseconds(now) }

    /// Takes note of a record.
    ///
    /// - Parameters:
    ///   - sighting: What it says of its turn.
    ///   - record: Its id in the log, its bytes and the trace that it names.
    ///   - moment: Now, by a clock that only goes forward.
    mutating func see(_ sighting: TurnSighting, _ record: Record, at moment: Duration) {
        change(sighting, at: moment) { turn in
            turn.records.append(record)
            turn.bytes += record.bytes
        }
        if let trace = record.trace { naming[trace, default: []].insert(sighting.key) }
        if let turn = turns[sighting.key], turn.bytes > settings.bytesMax.bytes { end(sighting.key, .tooLarge) }
        if memoryBytes > settings.memoryMax.bytes / 4 { makeRoom() }
    }

    /// Takes note that spans of a trace came that a record of the turn names.
    mutating func noteSpans(_ sighting: TurnSighting, at moment: Duration) {
        change(sighting, at: moment) { $0.hasSpans = true }
    }

    /// The records that name a trace of which spans came; they leave their turns.
    mutating func take(naming trace: TraceKey) -> [Record] {
        guard let keys = naming.removeValue(forKey: trace) else { return [] }
        var taken: [Record] = []
        for key in keys {
            guard var turn = turns[key] else { continue }
            memoryBytes -= turn.memory
            taken += turn.records.filter { $0.trace == trace }
            turn.records.removeAll { $0.trace == trace }
            turn.bytes = turn.records.reduce(0) { $0 + $1.bytes }
            turn.hasSpans = true
            turns[key] = turn
            memoryBytes += turn.memory
        }
        return taken.sorted { $0.id < $1.id }
    }

    /// Turns that are due, the oldest first.
    mutating func due(at moment: Duration) -> [Ended] {
        now = max(now, moment.wholeNanoseconds)
        if let look, look <= now {
            let ended = turns.filter { $0.value.due <= now }.sorted { $0.value.due < $1.value.due }
            for (key, turn) in ended { end(key, turn.isAnswered ? .complete : .waited) }
            self.look = turns.values.map(\.due).min().map { max($0, now + Self.lookPause) }
        }
        defer { ready = [] }
        return ready
    }

    /// All that waits.
    mutating func close() -> [Ended] {
        for key in turns.sorted(by: { $0.value.since < $1.value.since }).map(\.key) { end(key, .closed) }
        look = nil
        defer { ready = [] }
        return ready
    }

    /// Ends turns with records whose ids are below this, which keep them from being deleted.
    mutating func decide(below id: UInt64) {
        for (key, turn) in turns where turn.records.contains(where: { $0.id < id }) { end(key, .journal) }
    }

    /// Ends the oldest turns, some more than there must be, so that it is not done for each record.
    private mutating func makeRoom() {
        let keys = turns.sorted { $0.value.since < $1.value.since }.map(\.key)
        for key in keys where memoryBytes > settings.memoryMax.bytes / 32 * 7 { end(key, .memory) }
    }

    private mutating func change(_ sighting: TurnSighting, at moment: Duration, _ change: (inout Turn) -> Void) {
        now = max(now, moment.wholeNanoseconds)
        let isKnown = turns[sighting.key] != nil
        // Taken out, so that its records are changed in place.
        var turn = turns.removeValue(forKey: sighting.key) ?? Turn(since: now)
        if isKnown { memoryBytes -= turn.memory }
        change(&turn)
        turn.isOneTurn = sighting.isOneTurn
        if sighting.isAnswered { turn.isAnswered = true }
        turn.ended.formUnion(sighting.ended)
        let begun = sighting.begun.filter { !turn.ended.contains($0) }
        turn.open.formUnion(begun)
        turn.open.subtract(sighting.ended)
        let wait = turn.isAnswered && turn.open.isEmpty || turn.hasSpans ? settings.wait : settings.openWait
        turn.due = now.addingReportingOverflow(wait.wholeNanoseconds).partialValue
        turns[sighting.key] = turn
        memoryBytes += turn.memory
        look = min(look ?? turn.due, turn.due)
    }

    private mutating func end(_ key: TraceKey, _ reason: WindowDecision.Reason) {
        guard let turn = turns.removeValue(forKey: key) else { return }
        memoryBytes -= turn.memory
        for trace in Set(turn.records.compactMap(\.trace)) {
            naming[trace]?.remove(key)
            if naming[trace]?.isEmpty == true { naming[trace] = nil }
        }
        guard !turn.records.isEmpty else { return }
        ready.append(
            Ended(
                key: key,
                records: turn.records,
                reason: reason,
                isOneTurn: turn.isOneTurn,
                hasSpans: turn.hasSpans
            )
        )
    }
}
