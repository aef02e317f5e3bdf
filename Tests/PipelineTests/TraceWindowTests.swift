import Basics
import OTLP
import TestKit
import Testing

@testable import Pipeline

struct TraceWindowTests {
    private static let settings = {
        var settings = WindowSettings()
        settings.afterRoot = .seconds(2)
        settings.wait = .seconds(30)
        settings.openWait = .seconds(60)
        settings.remember = .seconds(100)
        return settings
    }()

    private func key(_ trace: UInt64) -> TraceKey { TraceKey(TraceID(high: 0, low: trace)) }

    private func span(_ id: UInt64, below parent: UInt64 = 0, isRemote: Bool = false) -> SpanSighting {
        SpanSighting(SpanID(id), parent: parent == 0 ? nil : SpanID(parent), isParentRemote: isRemote)
    }

    /// When a trace of these spans, each in a record of its own, is due after it was seen at second 10; nil while nothing waits.
    private func due(_ spans: SpanSighting..., settings: WindowSettings = settings) -> Duration? {
        var window = TraceWindow(settings)
        for (index, span) in spans.enumerated() {
            window.see(key(1), record: UInt64(index), spans: [span], bytes: 1, at: .seconds(10))
        }
        return window.nextDue
    }

    @Test func `what is missing decides how long a trace waits`() {
        #expect(due(span(1)) == .seconds(12))
        #expect(due(span(2, below: 1), span(1)) == .seconds(12))
        #expect(due(span(1), span(2, below: 9, isRemote: true)) == .seconds(12))
        #expect(due(span(2, below: 9, isRemote: true)) == .seconds(40))
        #expect(due(span(2, below: 9, isRemote: true), span(3, below: 2)) == .seconds(40))
        #expect(due(span(2, below: 9)) == .seconds(70))
        #expect(due(span(2, below: 9, isRemote: true), span(3, below: 9)) == .seconds(70))
        #expect(due(span(1), span(3, below: 9)) == .seconds(70))
        // Spans above each other have no root.
        #expect(due(span(1, below: 2), span(2, below: 1)) == .seconds(70))
        #expect(due(span(1, below: 1)) == .seconds(70))
    }

    @Test func `what is seen of a span is its id, its parent, and whether that is remote`() throws {
        let body = try Fixtures.bytes("clients/five-java-1.pb")
        let sightings = SpanSighting.all(in: body)
        #expect(sightings.map(\.isParentRemote) == [true, false])
        #expect(sightings[1].parent == sightings[0].id)
        let heads = SpanHead.all(in: body)
        #expect(heads.map { SpanSighting($0.id, parent: $0.parent, isParentRemote: $0.isParentRemote) } == sightings)
        #expect(heads.map(\.end) == (try SpanBatch(body).spans.map(\.end)))
    }

    @Test func `a complete trace waits no longer for more of it, an open one does`() {
        var window = TraceWindow(Self.settings)
        window.see(key(1), record: 1, spans: [span(1)], bytes: 1, at: .seconds(10))
        window.see(key(1), record: 2, spans: [span(2, below: 1)], bytes: 1, at: .seconds(11))
        #expect(window.due(at: .milliseconds(11_999)) == [])
        #expect(window.due(at: .seconds(12)) == [WindowDecision(key: key(1), records: [1, 2], reason: .complete)])
        window.see(key(2), record: 3, spans: [span(2, below: 1)], bytes: 1, at: .seconds(20))
        window.see(key(2), record: 4, spans: [span(3, below: 1)], bytes: 1, at: .seconds(70))
        #expect(window.due(at: .seconds(129)) == [])
        #expect(window.due(at: .seconds(130)) == [WindowDecision(key: key(2), records: [3, 4], reason: .waited)])
        #expect(window.nextDue == nil)
    }

    @Test func `a trace of which everything was dropped waits for what is below, and is not decided without it`() {
        var window = TraceWindow(Self.settings)
        window.see(key(1), record: 1, spans: [span(1)], bytes: 20, hasContent: false, at: .seconds(10))
        #expect(window.due(at: .seconds(15)) == [])
        window.see(key(1), record: 2, spans: [span(2, below: 1)], bytes: 1, at: .seconds(15))
        #expect(window.due(at: .seconds(17)) == [WindowDecision(key: key(1), records: [1, 2], reason: .complete)])
        window.see(key(2), record: 3, spans: [span(1)], bytes: 20, hasContent: false, at: .seconds(20))
        #expect(window.due(at: .seconds(50)) == [WindowDecision(key: key(2), records: [3], reason: .waited)])
        window.see(key(2), record: 4, spans: [span(2)], bytes: 1, at: .seconds(51))
        #expect(window.due(at: .seconds(53)) == [WindowDecision(key: key(2), records: [4], reason: .complete)])
        // Log records of it make no spans of what was dropped.
        window.see(key(3), record: 5, spans: [span(1)], bytes: 20, hasContent: false, at: .seconds(60))
        window.see(key(3), logRecord: 6, bytes: 100, at: .seconds(60))
        var hasSpans = window.hasSpans(key(3), at: .seconds(60))
        #expect(!hasSpans && window.due(at: .seconds(65)) == [])
        window.see(key(3), record: 7, spans: [span(2, below: 1)], bytes: 1, at: .seconds(66))
        hasSpans = window.hasSpans(key(3), at: .seconds(66))
        #expect(hasSpans)
    }

    @Test func `what is certain depends on the policies that are, and on a root that stays`() {
        var settings = Self.settings
        (settings.showsOnlyKept, settings.showAfter) = (true, .seconds(1))
        var window = TraceWindow(settings, decided: DecidedTraces(settings), dropCertainty: .withRoot)
        let keeps = TraceForesight(keeps: true)
        let root = TraceForesight(keeps: true, hasRoot: true)
        window.see(key(1), record: 1, spans: [span(1)], bytes: 1, at: .zero, foresight: root)
        // One span of which is dropped: the one in its place is asked.
        window.see(key(2), record: 2, spans: [span(2, below: 1), span(1)], bytes: 1, at: .zero, foresight: keeps)
        #expect(window.takeKept().map(\.key) == [key(1)])
        for id in 3...4 as ClosedRange<UInt64> {
            window.see(key(3), record: id, spans: [span(id, below: 9), span(1)], bytes: 1, at: .zero, foresight: root)
        }
        window.see(key(4), record: 5, spans: [span(1)], bytes: 1, at: .zero, foresight: root)
        window.change(.withRoot)
        window.see(key(4), record: 6, spans: [span(2, below: 1)], bytes: 1, at: .zero, foresight: root)
        window.see(key(5), record: 7, spans: [span(1)], bytes: 1, at: .zero, foresight: root)
        #expect(window.takeKept().map(\.key) == [key(5)])
        let due = window.due(at: .seconds(2))
        #expect(due.map(\.reason) == [.complete, .complete] && due.map(\.key) == [key(2), key(4)])
    }

    @Test func `what the journal has of a trace is known again, also where its note is too old`() {
        let outcome = DecidedOutcome(route: .experimentName("one"), verdict: TraceVerdict(policy: "p", isKept: false))
        var window = TraceWindow(Self.settings)
        window.remember(key(1), as: outcome, at: .zero)
        window.remember(key(1), as: outcome, at: .seconds(200))
        window.see(key(1), record: 1, spans: [span(1)], bytes: 1, at: .seconds(201))
        #expect(window.due(at: .seconds(201)).map(\.reason) == [.late])
    }

    @Test func `late spans pass at once while their trace is remembered, and open it anew afterwards`() {
        var window = TraceWindow(Self.settings)
        window.see(key(1), record: 1, spans: [span(1)], bytes: 1, at: .zero)
        _ = window.due(at: .seconds(2))
        window.see(key(1), record: 2, spans: [span(2, below: 1)], bytes: 1, at: .seconds(102))
        #expect(window.nextDue == .seconds(102))
        #expect(window.due(at: .seconds(102)) == [WindowDecision(key: key(1), records: [2], reason: .late)])
        window.see(key(1), record: 3, spans: [span(3, below: 1)], bytes: 1, at: .seconds(202))
        #expect(window.due(at: .seconds(202)).map(\.reason) == [.late])
        window.see(key(1), record: 3, spans: [span(3, below: 1)], bytes: 1, at: .seconds(303))
        #expect(window.due(at: .seconds(303)) == [])
        var restarted = TraceWindow(Self.settings)
        restarted.remember(key(1), at: .zero)
        restarted.see(key(1), record: 4, spans: [span(4)], bytes: 1, at: .seconds(1))
        #expect(restarted.due(at: .seconds(1)).map(\.reason) == [.late])
    }

    @Test func `log records go with their trace, and a trace of log records alone is forgotten when it is given up`() {
        var window = TraceWindow(Self.settings)
        window.see(key(1), logRecord: 7, bytes: 1, at: .zero)
        window.see(key(1), record: 1, spans: [span(1)], bytes: 1, at: .seconds(50))
        window.see(key(1), logRecord: 8, bytes: 1, at: .seconds(51))
        let whole = WindowDecision(key: key(1), records: [1], logRecords: [7, 8], reason: .complete)
        #expect(window.due(at: .seconds(52)) == [whole])
        window.see(key(1), logRecord: 9, bytes: 1, at: .seconds(53))
        let late = WindowDecision(key: key(1), records: [], logRecords: [9], reason: .late)
        #expect(window.due(at: .seconds(53)) == [late])
        window.see(key(2), logRecord: 10, bytes: 1, at: .seconds(60))
        let alone = WindowDecision(key: key(2), records: [], logRecords: [10], reason: .waited)
        #expect(window.due(at: .seconds(120)) == [alone])
        window.see(key(2), record: 2, spans: [span(1)], bytes: 1, at: .seconds(121))
        #expect(window.due(at: .seconds(123)).map(\.reason) == [.complete])
    }

    @Test func `the same spans of two senders are two traces`() {
        var window = TraceWindow(Self.settings)
        let trace = TraceID(high: 0, low: 1)
        for (record, identity) in [nil, "a", "é", "e\u{301}"].enumerated() {
            let key = TraceKey(trace, identity: identity)
            window.see(key, record: UInt64(record), spans: [span(1)], bytes: 1, at: .zero)
        }
        #expect(window.due(at: .seconds(2)).map(\.records) == [[0], [1], [2], [3]])
    }

    @Test func `over its limits a trace is decided at once, and over the memory the oldest one`() {
        var settings = Self.settings
        settings.spansMax = 2
        settings.bytesMax = ByteCount(bytes: 100)
        var window = TraceWindow(settings)
        window.see(key(1), record: 1, spans: [span(1), span(2, below: 1)], bytes: 1, at: .zero)
        #expect(window.due(at: .zero) == [])
        window.see(key(1), record: 2, spans: [span(3, below: 1)], bytes: 1, at: .zero)
        window.see(key(2), record: 3, spans: [span(1)], bytes: 101, at: .zero)
        #expect(window.due(at: .zero).map(\.reason) == [.tooLarge, .tooLarge])
        settings = Self.settings
        settings.memoryMax = ByteCount(bytes: 8000)
        window = TraceWindow(settings)
        var early: [WindowDecision] = []
        for trace in 1...100 as ClosedRange<UInt64> {
            window.see(key(trace), record: trace, spans: [span(2, below: 1)], bytes: 1, at: .seconds(Int(trace) % 7))
            early += window.due(at: .seconds(Int(trace) % 7))
            #expect(window.memoryBytes <= 8000)
        }
        #expect(early.map(\.reason).allSatisfy { $0 == .memory })
        #expect(early.map(\.records) == early.indices.map { [UInt64($0) + 1] })
        let rest = window.close()
        #expect(rest.map(\.reason).allSatisfy { $0 == .closed })
        #expect(early.count + rest.count == 100)
        #expect(window.traceCount == 0 && window.nextDue == nil)
    }

    @Test(arguments: [1, 40])
    func `whoever sends very many traces decides nobody else's early`(flooders: UInt64) {
        var settings = Self.settings
        settings.memoryMax = .kibibytes(64)
        var window = TraceWindow(settings)
        for trace in 1...20 as ClosedRange<UInt64> {
            let span = [span(2, below: 1)]
            window.see(key(trace), from: .identity("ada"), record: trace, spans: span, bytes: 1, at: .zero)
        }
        var early: [UInt64] = []
        for trace in 100...5000 as ClosedRange<UInt64> {
            let sender = Sender.address(SourceAddress(bits: trace % flooders))
            // Those of one are larger than those of another, who has as many.
            let spans = (2...(trace % 2 == 0 ? 2 : 40)).map { span($0, below: 1) }
            window.see(key(trace), from: sender, record: trace, spans: spans, bytes: 1, at: .seconds(1))
            early += window.due(at: .seconds(1)).map(\.key.trace.low)
            #expect(window.memoryBytes <= settings.memoryMax.bytes)
        }
        #expect(early.count > 4000)
        // Where forty hold as much as the one each, it gives its share as well.
        let others = early.filter { $0 < 100 }
        #expect(flooders == 1 ? others.isEmpty : others == others.sorted())
        let rest = Set(window.close().map(\.key.trace.low))
        #expect(rest.count + early.count == 4921 && window.memoryBytes < settings.memoryMax.bytes)
    }

    @Test func `what each has to give is what it holds above a level`() {
        var senders = OpenSenders()
        let numbers = [50, 10, 30, 30].enumerated().map { index, bytes in
            let number = senders.open(.address(SourceAddress(bits: UInt64(index))))
            senders.add(bytes, to: number)
            return number
        }
        #expect(numbers == [0, 1, 2, 3])
        #expect(senders.shares(of: 10) == [10, 0, 0, 0])
        #expect(senders.shares(of: 20) == [20, 0, 0, 0])
        #expect(senders.shares(of: 50) == [30, 0, 10, 10])
        #expect(senders.shares(of: 120) == [50, 10, 30, 30] && senders.shares(of: 500) == [50, 10, 30, 30])
        senders.close(2, 30)
        #expect(senders.open(.identity("new")) == 2 && senders.shares(of: 20) == [20, 0, 0, 0])
    }

    @Test func `a trace takes some 150 bytes, a span 32 and a record 16`() {
        var window = TraceWindow(Self.settings)
        for trace in 0..<5000 as Range<UInt64> {
            let spans = (2...6).map { span($0, below: 1) }
            window.see(key(trace), record: trace, spans: spans, bytes: 1, at: .zero)
        }
        // The missing parent takes as much as a span.
        #expect(window.memoryBytes <= 5000 * (168 + 6 * 32 + 16))
        _ = window.due(at: .seconds(60))
        #expect(window.memoryBytes <= 5000 * 24)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `the same spans lead to the same decision in whatever order they come`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let count = UInt64.random(in: 1...12, using: &random)
        var spans = (1...count).map { id in
            span(id, below: .random(in: 0...count + 2, using: &random), isRemote: .random(using: &random))
        }
        var seen: Set<String> = []
        for _ in 0..<20 {
            spans.shuffle(using: &random)
            var window = TraceWindow(Self.settings)
            var rest = spans[...]
            while !rest.isEmpty {
                let part = rest.prefix(.random(in: 1...4, using: &random))
                window.see(key(1), record: UInt64(rest.startIndex), spans: part, bytes: 1, at: .seconds(1))
                rest = rest.dropFirst(part.count)
            }
            let due = window.nextDue
            let decisions = due.map { window.due(at: $0) } ?? []
            seen.insert("\(due?.text ?? "-") \(decisions.map(\.reason)) \(decisions.count)")
        }
        #expect(seen.count == 1)
    }

    /// Compares with a model that looks at all spans of every trace each time.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `it decides like a model without any index`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var settings = Self.settings
        settings.showAfter = seed % 2 == 0 ? nil : .seconds(seed)
        var window = TraceWindow(settings)
        var model = WindowModel(settings)
        var now = 0
        for record in 0..<600 as Range<UInt64> {
            now += .random(in: 0...4, using: &random)
            let key = key(.random(in: 1...8, using: &random))
            let spans = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                span(
                    .random(in: 1...6, using: &random),
                    below: .random(in: 0...7, using: &random),
                    isRemote: .random(in: 0...3, using: &random) > 0
                )
            }
            window.see(key, record: record, spans: spans, bytes: 1, at: .seconds(now))
            model.see(key, record, spans, at: now)
            if Bool.random(using: &random) {
                let (found, expected) = (window.due(at: .seconds(now)), model.due(at: now))
                #expect(found.count == expected.count)
                #expect(found.allSatisfy(expected.contains))
                for decision in found where decision.reason == .open {
                    let isSure = Bool.random(using: &random)
                    let end = decision.shown.last.map { $0 + 1 } ?? 0
                    if isSure { window.noteShown(decision.key, below: end) } else { window.noteUnsure(decision.key) }
                    model.note(decision.key, isSure ? end : nil)
                }
            }
            #expect(window.nextDue == model.nextDue(at: now))
        }
    }
}

/// What a window decides, worked out the long way.
private struct WindowModel {
    private struct Trace {
        var records: [UInt64] = []
        var spans: [SpanSighting] = []
        var isComplete = false
        var due = 0
        var roots: Set<UInt64> = []
        /// Records with spans of the same ids as one before, and those ids.
        var repeats: Set<UInt64> = []
        var known: Set<[SpanID]> = []
        var showDue: Int?
        var shownEnd: UInt64 = 0
        var triedCount = 0
    }

    private let settings: WindowSettings
    private var traces: [TraceKey: Trace] = [:]
    private var decided: [TraceKey: Int] = [:]
    private var late: [WindowDecision] = []

    init(_ settings: WindowSettings) { self.settings = settings }

    mutating func see(_ key: TraceKey, _ record: UInt64, _ spans: [SpanSighting], at now: Int) {
        if traces[key] == nil, let time = decided[key], .seconds(now - time) <= settings.remember {
            decided[key] = now
            return late.append(WindowDecision(key: key, records: [record], reason: .late))
        }
        var trace = traces[key] ?? Trace()
        if !trace.known.insert(spans.map(\.id)).inserted { trace.repeats.insert(record) }
        trace.records.append(record)
        trace.spans += spans
        let known = Set(trace.spans.map(\.id))
        let orphans = trace.spans.filter { span in span.parent.map { !known.contains($0) } ?? false }
        let hasRoot = trace.spans.contains { $0.parent == nil }
        let isComplete = hasRoot && orphans.allSatisfy(\.isParentRemote)
        let isRemote = !hasRoot && !orphans.isEmpty && orphans.allSatisfy(\.isParentRemote)
        let time = isComplete ? settings.afterRoot : isRemote ? settings.wait : settings.openWait
        if !(isComplete && trace.isComplete) { trace.due = now + Int(time.inSeconds) }
        trace.isComplete = isComplete
        if spans.contains(where: { $0.parent == nil }) { trace.roots.insert(record) }
        if let after = settings.showAfter { trace.showDue = trace.showDue ?? now + Int(after.inSeconds) }
        traces[key] = trace
    }

    mutating func note(_ key: TraceKey, _ shownEnd: UInt64?) {
        guard let trace = traces[key] else { return }
        if let shownEnd { traces[key]?.shownEnd = shownEnd } else { traces[key]?.triedCount = trace.records.count }
    }

    /// What goes ahead of a trace now.
    private func shown(_ key: TraceKey, _ trace: Trace) -> WindowDecision? {
        let waiting = trace.roots.union(trace.repeats)
        let shown = trace.records.dropFirst().filter { $0 >= trace.shownEnd && !waiting.contains($0) }
        guard !trace.isComplete, !shown.isEmpty, trace.shownEnd > 0 || trace.records.count >= 2 * trace.triedCount
        else { return nil }
        let all = trace.shownEnd > 0 ? shown : trace.records
        return WindowDecision(key: key, records: all, reason: .open, shownEnd: trace.shownEnd, shown: shown)
    }

    mutating func due(at now: Int) -> [WindowDecision] {
        defer { late = [] }
        var decisions = late
        for (key, trace) in traces where trace.due <= now {
            let reason: WindowDecision.Reason = trace.isComplete ? .complete : .waited
            let shownEnd = trace.shownEnd
            decisions.append(WindowDecision(key: key, records: trace.records, reason: reason, shownEnd: shownEnd))
            traces[key] = nil
            decided[key] = now
        }
        for (key, trace) in traces where trace.showDue.map({ $0 <= now }) ?? false {
            traces[key]?.showDue = nil
            if let decision = shown(key, trace) { decisions.append(decision) }
        }
        return decisions
    }

    func nextDue(at now: Int) -> Duration? {
        late.isEmpty ? traces.values.map { min($0.due, $0.showDue ?? .max) }.min().map { .seconds($0) } : .seconds(now)
    }
}
