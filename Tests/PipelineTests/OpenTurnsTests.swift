import Basics
import Journal
import OTLP
import Testing

@testable import Pipeline

/// Turns of sessions of which log records came and no spans.
@Suite struct OpenTurnsTests {
    private let settings: WindowSettings
    private let sender = Sender.identity("ada")
    private let named = TraceKey(TraceID(high: 9, low: 9))

    init() {
        var settings = WindowSettings()
        (settings.wait, settings.openWait) = (.seconds(30), .seconds(600))
        settings.memoryMax = .kibibytes(8)
        self.settings = settings
    }

    private func turn(_ low: UInt64 = 1, answered: Bool = false, begun: [Int] = [], ended: [Int] = []) -> TurnSighting {
        TurnSighting(TraceID(high: 1, low: low), isOneTurn: true, isAnswered: answered, begun: begun, ended: ended)
    }

    private func record(_ id: UInt64, naming trace: TraceKey? = nil) -> OpenTurns.Record {
        OpenTurns.Record(id: id, bytes: 100, trace: trace)
    }

    @Test func `an answered turn waits for nothing but more of it, another one for its answer and its tools`() {
        var turns = OpenTurns(settings)
        turns.see(turn(), record(1), at: .zero)
        #expect(turns.nextDue == .seconds(600))
        turns.see(turn(begun: [7]), record(2), at: .seconds(1))
        turns.see(turn(answered: true), record(3), at: .seconds(2))
        #expect(turns.due(at: .seconds(500)).isEmpty)
        turns.see(turn(ended: [7]), record(4), at: .seconds(510))
        #expect(turns.due(at: .milliseconds(539_900)).isEmpty)
        let ended = turns.due(at: .seconds(541))
        #expect(ended.map(\.reason) == [.complete] && ended[0].records.map(\.id) == [1, 2, 3, 4])
        #expect(turns.count == 0 && turns.memoryBytes == 0 && turns.nextDue == nil)
    }

    @Test func `records go to the spans of the trace that they name, and nothing is made of the others`() {
        var turns = OpenTurns(settings)
        turns.see(turn(), record(1), at: .zero)
        turns.see(turn(answered: true), record(2, naming: named), at: .zero)
        turns.see(turn(2, answered: true), record(3), at: .zero)
        #expect(turns.take(naming: named).map(\.id) == [2])
        #expect(turns.take(naming: named).isEmpty)
        let ended = turns.due(at: .seconds(31))
        #expect(Set(ended.map { [$0.key.trace.low, $0.hasSpans ? 1 : 0] }) == [[1, 1], [2, 0]])
        // One whose spans were there first leaves nothing behind.
        turns.noteSpans(turn(3), at: .seconds(40))
        #expect(turns.due(at: .seconds(100)).isEmpty && turns.memoryBytes == 0)
    }

    private func stored(_ id: UInt64, _ payload: [UInt8], metadata: Int = 0) -> StoredRecord {
        StoredRecord(
            id: id,
            items: 1,
            kind: .items,
            receivedAt: UnixTime(nanoseconds: 1),
            metadata: [UInt8](repeating: 0, count: metadata),
            payload: payload
        )
    }

    @Test(arguments: [false, true])
    func `spans that a filter drops end no turn, others do`(isKept: Bool) {
        let turns = OpenTurns(settings)
        var state = WindowStage.State(window: TraceWindow(settings), turns: turns, cache: RecordCache(bytesMax: 0))
        let root = WindowSight.spans(named, [SpanSighting(SpanID(1), parent: nil)], TraceForesight(), sender)
        state.take(stored(1, [1]), .turn(named, turn(), sender), from: .logs, at: .zero)
        state.take(stored(7, isKept ? [1] : []), root, from: .spans, at: .zero)
        state.take(stored(2, [1]), .turn(named, turn(answered: true), sender), from: .logs, at: .zero)
        let work = state.takeWork(at: .seconds(31), isRead: false)
        let decisions = work.compactMap { if case .decision(let decision) = $0 { decision } else { nil } }
        #expect(decisions.filter(\.isTurn).map(\.logRecords) == (isKept ? [] : [[1, 2]]))
        #expect(decisions.first { $0.key == named }?.logRecords == (isKept ? [1, 2] : []))
    }

    @Test func `what is left of dropped spans counts against the bounds of a trace`() {
        var bounded = settings
        bounded.bytesMax = .kibibytes(16)
        var state = WindowStage.State(window: TraceWindow(bounded), cache: RecordCache(bytesMax: 0))
        for id in 1...3 as ClosedRange<UInt64> {
            let sight = WindowSight.spans(
                named,
                [SpanSighting(SpanID(id), parent: SpanID(9))],
                TraceForesight(),
                sender
            )
            state.take(stored(id, [], metadata: 8192), sight, from: .spans, at: .zero)
        }
        let work = state.takeWork(at: .zero, isRead: false)
        #expect(work.map(\.reason) == [.tooLarge])
    }

    @Test(arguments: [1, 500])
    func `what is left of the dropped spans of a request is bounded by its size`(roots: UInt64) throws {
        let batch = try SpanBatch([])
        var work = SpanWork(batch: batch, source: RequestSource(receiver: ""), receivedAt: UnixTime(nanoseconds: 1))
        work.leaveTombstones()
        let remains = RootRemains(start: 1, end: 2, status: [], exceptions: [UInt8](repeating: 0, count: 16 << 10))
        for id in 1...roots {
            let root = Tombstone(SpanID(id), parent: nil, remains: remains)
            work.leave(root, in: TraceID(high: 0, low: id))
        }
        let left = work.tombstones?.values.reduce(0) { $0 + $1.count } ?? 0
        #expect(roots == 1 ? left == 1 : 50 < left && left < 65)
        #expect(work.tombstoneBytes <= Tombstone.requestMax)
    }

    @Test func `the oldest go on early where they take more memory than they may, or the journal needs room`() {
        var turns = OpenTurns(settings)
        for low in 1...100 { turns.see(turn(UInt64(low)), record(UInt64(low)), at: .seconds(low)) }
        let early = turns.due(at: .seconds(101))
        #expect(!early.isEmpty && early.allSatisfy { $0.reason == .memory })
        #expect(early.map(\.key.trace.low) == Array(1...UInt64(early.count)))
        #expect(turns.memoryBytes <= settings.memoryMax.bytes / 4)
        turns.decide(below: UInt64(early.count) + 2)
        #expect(turns.due(at: .seconds(101)).map(\.reason) == [.journal])
        let left = turns.count
        #expect(turns.close().map(\.reason) == Array(repeating: .closed, count: left))
        #expect(turns.memoryBytes == 0)
    }
}
