import Basics
import OTLP
package import Pipeline

// Traces that need nothing but to be mapped and routed, many at once.

extension Assemble {
    /// Requests that are looked at for a place, the latest.
    private static let openMax = 8

    package func assembleTogether(_ traces: [WholeTrace]) -> [AssembledGroup] {
        // A sampler looks at one trace.
        guard sampler == nil else { return [] }
        var gatherings: [Gathering] = []
        for index in traces.indices where traces[index].reason == .complete {
            guard let trace = PlainTrace(traces[index]), trace.spanCount <= Gathering.spansMax else { continue }
            // Those of one request come one behind the other.
            let open = gatherings.indices.suffix(Self.openMax).last { gatherings[$0].takes(trace) }
            if let open {
                gatherings[open].add(trace, index)
            } else {
                gatherings.append(Gathering(trace, index))
            }
        }
        return gatherings.flatMap { $0.traces.count > 1 ? assemble($0) : [] }
    }

    /// One request for each route; none where a trace needs more than its neighbours.
    private func assemble(_ gathering: Gathering) -> [AssembledGroup] {
        guard let batch = try? SpanBatch(RequestFrames.joined(gathering.requests)),
            let trees = TraceTrees(batch), trees.list.count == gathering.traces.count
        else { return [] }
        let first = gathering.traces[0].trace
        let part = WholeTrace.Part(
            receivedAt: gathering.receivedAt.upperBound,
            metadata: first.metadata,
            payload: []
        )
        var work = work(batch, TracePlace(key: first.key, top: nil), of: part)
        for processor in processors { processor.process(&work) }
        // What one trace takes of a budget is not to be missing for another.
        guard trees.list.allSatisfy({ work.batch.removal(of: $0.top) == nil }),
            !work.tally.entries.contains(where: { $0.kind == .unmapped })
        else { return [] }
        return written(&work, trees, gathering, part)
    }

    private func written(
        _ work: inout SpanWork,
        _ trees: TraceTrees,
        _ gathering: Gathering,
        _ part: WholeTrace.Part
    ) -> [AssembledGroup] {
        let isReordered = trees.list.contains { $0.top != $0.spans.lowerBound }
        var made: [(request: AssembledTrace, traces: [Int])] = []
        let places = trees.list.enumerated().map { index, tree in
            let route = work.route(of: tree.top)
            let target = route == .none ? part.metadata.route : route
            let place = made.lastIndex { $0.request.route == target } ?? made.count
            if place == made.count {
                var request = AssembledTrace(route: target, payload: [], items: 0)
                if route != .none { request.refusal = work.source.identity?.refusal(of: route) }
                made.append((request, []))
            }
            made[place].traces.append(gathering.traces[index].index)
            made[place].request.filtered += tree.spans.count
            return place
        }
        for (tree, place) in zip(trees.list, places) {
            for span in tree.spans {
                let isBehind = isReordered && span != tree.top
                work.batch.assign(span, to: UInt16(truncatingIfNeeded: 2 * place + (isBehind ? 1 : 0)))
            }
        }
        let services = work.services { made[Int($0) / 2].request.route }
        for place in made.indices {
            let route = made[place].request.route
            made[place].request.services = services.filter { $0.service == nil ? place == 0 : $0.route == route }
        }
        // What the records cost was accounted for when they came.
        var account = RequestAccount(bytes: work.batch.bytes.count, limits: .none)
        for group in work.batch.groups {
            guard let written = try? work.batch.encoded(group, charging: &account) else { return [] }
            let place = Int(group.number) / 2
            if made[place].request.payload.isEmpty {
                made[place].request.payload = written.payload
            } else {
                made[place].request.payload += written.payload
            }
            made[place].request.items += written.items
            made[place].request.filtered -= written.items
        }
        if !made.isEmpty { made[0].request.tally = work.tally }
        return made.map { AssembledGroup($0.request, of: $0.traces) }
    }
}

extension CostLimits {
    /// Nothing costs too much.
    static let none = CostLimits(heldPerByte: .max, writtenPerByte: .max, stepsPerByte: .max)
}

/// A trace whose parts all have the same metadata, as one request.
private struct PlainTrace {
    let key: TraceKey
    /// Without what differs from trace to trace.
    let metadata: RecordMetadata
    let request: [UInt8]
    let frames: RequestFrames?
    let spanCount: Int
    /// When its first part came.
    let receivedAt: UnixTime

    /// Nil for a trace of parts that differ, or of none, or of which spans were dropped before.
    init?(_ trace: WholeTrace) {
        guard let first = trace.parts.first, first.metadata.tombstones.isEmpty else { return nil }
        let shared = first.metadata.ofAnyTrace
        guard trace.parts.dropFirst().allSatisfy({ $0.metadata.ofAnyTrace.isExactly(shared) }) else { return nil }
        if trace.parts.count == 1 {
            let known = RequestFrames(first.payload)
            (request, frames) = (first.payload, known)
            spanCount = known?.spanCount ?? SpanHead.all(in: first.payload).count
        } else {
            let draft = TraceDraft(trace.parts)
            (request, frames, spanCount) = (draft.bytes, nil, draft.heads.count)
        }
        metadata = shared
        key = trace.key
        receivedAt = trace.parts.lazy.map(\.receivedAt).min() ?? first.receivedAt
    }
}

extension RecordMetadata {
    /// Whether nothing differs, names and headers byte for byte.
    fileprivate func isExactly(_ other: RecordMetadata) -> Bool {
        self == other && sender == other.sender
            && zip(headers, other.headers).allSatisfy { ExactText($0.value) == ExactText($1.value) }
    }
}

/// Traces that become one request.
private struct Gathering {
    /// What one request holds, at most; more than that goes into one only where a single trace has it.
    static let spansMax = 500
    private static let bytesMax = 512 << 10
    /// How long after one another they may have come: the age of the eldest counts for all of them.
    private static let spread = Duration.seconds(10)

    private(set) var traces: [(index: Int, trace: PlainTrace)]
    private(set) var receivedAt: ClosedRange<UnixTime>
    private var spanCount: Int
    private var bytes: Int

    init(_ trace: PlainTrace, _ index: Int) {
        traces = [(index, trace)]
        receivedAt = trace.receivedAt...trace.receivedAt
        (spanCount, bytes) = (trace.spanCount, trace.request.count)
    }

    var requests: [(bytes: [UInt8], frames: RequestFrames?)] { traces.map { ($0.trace.request, $0.trace.frames) } }

    func takes(_ trace: PlainTrace) -> Bool {
        let (first, last) = (min(receivedAt.lowerBound, trace.receivedAt), max(receivedAt.upperBound, trace.receivedAt))
        return spanCount + trace.spanCount <= Self.spansMax && bytes + trace.request.count <= Self.bytesMax
            && last.since(first) <= Self.spread && traces[0].trace.metadata.isExactly(trace.metadata)
    }

    mutating func add(_ trace: PlainTrace, _ index: Int) {
        traces.append((index, trace))
        receivedAt = min(receivedAt.lowerBound, trace.receivedAt)...max(receivedAt.upperBound, trace.receivedAt)
        spanCount += trace.spanCount
        bytes += trace.request.count
    }
}

/// The traces of a request in which they stand one behind the other, each with a root and without circles of parents.
struct TraceTrees {
    struct Tree {
        let spans: Range<Int>
        /// The first span without a parent.
        let top: Int
    }

    /// Spans of a trace, at most: parents are looked for one by one.
    private static let spansMax = 64

    private(set) var list: [Tree] = []

    /// Nil where a trace has no root, has a circle of parents, is large, or comes twice.
    init?(_ batch: borrowing SpanBatch) {
        var start = 0
        var known: Set<TraceID> = []
        while start < batch.spans.count {
            let id = batch.spans[start].traceID
            var end = start + 1
            while end < batch.spans.count, batch.spans[end].traceID == id { end += 1 }
            guard known.insert(id).inserted, end - start <= Self.spansMax,
                let top = Self.top(of: start..<end, batch)
            else { return nil }
            list.append(Tree(spans: start..<end, top: top))
            start = end
        }
    }

    private static func top(of spans: Range<Int>, _ batch: borrowing SpanBatch) -> Int? {
        var top: Int?
        for span in spans {
            guard let parent = batch.spans[span].parentID else {
                top = top ?? span
                continue
            }
            // From most spans one step leads to a root.
            var (next, steps) = (Optional(parent), 0)
            while let wanted = next {
                steps += 1
                guard steps <= spans.count else { return nil }
                guard let found = spans.first(where: { batch.spans[$0].spanID == wanted }) else { break }
                next = batch.spans[found].parentID
            }
        }
        return top
    }
}
