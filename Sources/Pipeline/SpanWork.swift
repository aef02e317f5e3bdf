package import Basics
package import Conditions
package import OTLP

/// One request's spans on their way through the per-span processors.
package struct SpanWork: Sendable {
    /// The spans, with every mark made so far.
    package var batch: SpanBatch
    /// Why the request is not taken, where a processor found that.
    package private(set) var refusal: WorkRefusal?
    /// Whether the request was written anew.
    private(set) var isRewritten = false
    /// Where the request came from.
    package let source: RequestSource
    /// When its last byte arrived.
    package let receivedAt: UnixTime
    /// What the request has cost in this pipeline.
    package var account: RequestAccount
    /// Bytes that processors may add to the spans.
    package var addedMax: Int
    /// Gives back what processors took for the request, where it is refused after they ran; any thread.
    package var whenRefused: [@Sendable () -> Void] = []
    /// What the processors counted.
    package var tally = ProcessorTally()
    /// Behind a window the trace that all spans are of, or one of several; nil before the journal.
    package var trace: TracePlace?
    /// By trace what is left of dropped spans, for a window behind the journal; nil where there is none.
    var tombstones: [TraceID: [Tombstone]]?
    /// Bytes that they take.
    private(set) var tombstoneBytes = 0
    /// What `mlflow_map` found out about each span, by position; empty until it ran.
    package var mapped = MappedSpans()
    /// The routes that spans were assigned to; the position is the output group of the batch, of which a route may have several.
    ///
    /// The first is that of the request, mostly `.none`, where every span starts.
    package private(set) var routes: [Route]

    private var groups: [Route: UInt16]
    private var latest: UInt16 = 0

    package init(
        batch: SpanBatch,
        source: RequestSource,
        receivedAt: UnixTime,
        account: RequestAccount? = nil
    ) {
        self.batch = batch
        self.account = account ?? RequestAccount(bytes: batch.bytes.count)
        addedMax = self.account.writtenMax - batch.bytes.count
        self.source = source
        routes = [source.route]
        groups = [source.route: 0]
        self.receivedAt = receivedAt
    }

    /// Whether a window behind the journal has to know of spans that are dropped.
    package var leavesTombstones: Bool { tombstones != nil }

    /// From now on word is left of spans that are dropped.
    package mutating func leaveTombstones() { tombstones = tombstones ?? [:] }

    /// Leaves word of a span that was dropped, where a window may need it; of one root in a trace with what it said of that.
    ///
    /// All of a request take no more than `Tombstone.requestMax` and what the request takes itself; what would be more is forgotten.
    package mutating func leave(_ tombstone: Tombstone, in trace: TraceID) {
        guard let others = tombstones?[trace, default: []], others.count < Tombstone.recordMax else { return }
        var tombstone = tombstone
        let isFirst = !others.contains { $0.remains != nil }
        tombstone.remains = isFirst ? tombstone.remains?.bounded(to: Tombstone.remainsMax) : nil
        guard tombstoneBytes + tombstone.heldBytes <= Tombstone.requestMax + batch.bytes.count else { return }
        tombstoneBytes += tombstone.heldBytes
        tombstones?[trace, default: []].append(tombstone)
    }

    /// The traces of which spans stay.
    ///
    /// - Parameter traces: By output group the trace of its spans; nil for a group of several.
    /// - Returns: Each once.
    func keptTraces(_ traces: [TraceID?]) -> Set<TraceID> {
        var kept = Set(batch.groups.compactMap { traces[Int($0.number)] })
        guard tombstones?.isEmpty == false, traces.contains(nil) else { return kept }
        for span in batch.spans.indices where batch.removal(of: span) == nil { kept.insert(batch.spans[span].traceID) }
        return kept
    }

    /// Takes what was left of dropped spans of a trace.
    mutating func takeTombstones(of trace: TraceID) -> [Tombstone] { tombstones?.removeValue(forKey: trace) ?? [] }

    /// Puts other texts in the place of some; before anything was marked or assigned.
    ///
    /// The request is refused where the result is too large to be indexed, or where a unit of it would be invalid.
    package mutating func rewrite(_ edits: TextEdits) {
        guard !edits.isEmpty, refusal == nil else { return }
        do throws(WireError) {
            let limits = WireLimits(indexBytesMax: max(0, account.heldMax))
            let written = try batch.rewritten(edits, limits: limits)
            for unit in 0..<batch.unitCount where batch.unit(unit).flaw == nil {
                guard let flaw = written.unit(unit).flaw else { continue }
                return refuse(.invalid("\(batch.signal.unit) \(unit) would be invalid with other texts in it: \(flaw)"))
            }
            addedMax -= max(0, written.bytes.count - batch.bytes.count)
            batch = written
            isRewritten = true
        } catch {
            refuse(.written(limit: account.writtenMax))
        }
    }

    /// Refuses the whole request.
    package mutating func refuse(_ excess: CostExcess) { refuse(.excess(excess)) }

    /// Refuses the whole request, which cannot be read as it should after it was indexed.
    package mutating func refuse(_ error: WireError) { refuse(.invalid(error.description)) }

    private mutating func refuse(_ reason: WorkRefusal) { refusal = refusal ?? reason }

    /// Sends a span to a route; the last assignment counts.
    package mutating func assign(_ route: Route, to span: Int) { batch.assign(span, to: group(of: route)) }

    /// The group of the batch whose spans go to a route.
    ///
    /// One request holds at most 65,535 different routes; those beyond get the group of the one asked for last.
    package mutating func group(of route: Route) -> UInt16 {
        if routes[Int(latest)] == route { return latest }
        if let known = groups[route] {
            latest = known
        } else if let new = UInt16(exactly: routes.count) {
            routes.append(route)
            groups[route] = new
            latest = new
        }
        return latest
    }

    /// Divides the spans of a route that are more than `itemsMax` into several output groups, whole traces together.
    package mutating func divide(itemsMax: Int) {
        routes += batch.divide(itemsMax: itemsMax, groups: routes.count).map { routes[Int($0)] }
    }

    /// Divides the items of each route by trace that a window wants, as far as the request may be written.
    ///
    /// - Returns: By output group the trace of its items; nil for a group of several traces, and for what the window does not want.
    mutating func divideByTrace(for window: any WindowedProcessor) -> [TraceID?] {
        let repeatsMax = account.repeatsMax(beside: batch.bytes.count + batch.addedBytes)
        let (isLog, sender) = (batch.signal == .logs, source.identity?.name)
        let (traces, origins) = batch.divideByTrace(groups: routes.count, repeatsMax: repeatsMax) { unit, batch in
            let named = batch.unit(unit).hasTrace ? batch.unit(unit).traceID : nil
            guard isLog else { return named }
            if let named, window.joins(unit, of: batch) { return named }
            return window.turn(unit, of: batch, from: sender).map { named ?? $0 }
        }
        account.add(steps: batch.unitCount)
        routes += origins.map { routes[Int($0)] }
        return traces
    }

    /// The route that a span was assigned to last.
    package func route(of span: Int) -> Route { routes[Int(batch.group(of: span))] }

}

/// Why processors refuse a request.
package enum WorkRefusal: Sendable, Equatable {
    /// It costs too much for its size.
    case excess(CostExcess)
    /// Something in it would be invalid when it leaves.
    case invalid(String)
}

/// The trace of spans that are processed together; of several traces the first, which has the identity of all of them.
package struct TracePlace: Sendable {
    package let key: TraceKey
    /// Its root, else its topmost span; nil among several traces, each of which has a root.
    package let top: Int?

    package init(key: TraceKey, top: Int?) {
        self.key = key
        self.top = top
    }
}

/// What the processors of one request counted, by the processor's key in the pipeline file.
package struct ProcessorTally: Sendable {
    /// What was counted.
    package enum Kind: Sendable, Hashable {
        /// Spans that got at least one attribute from `mlflow_map`.
        case mapped
        /// Spans on which a value that the destination would refuse was mended or taken away.
        case repaired
        /// Spans left as they came, because mapping them would cost more than one request may.
        case unmapped
        /// Spans that it removed.
        case removed(Outcome)
        /// Spans that a policy dropped.
        case sampledOut(policy: String)
        /// Spans whose own route found no room in `max_routes` or has too long a name, so that they went to the default.
        case defaulted
        /// Routes, not spans, that were forgotten to make room for others.
        case forgottenRoutes
        /// Texts that something took the place of, not spans.
        case redacted(detector: String, place: TextPlace)
        /// Texts that were cut, and attributes and events that were taken out, not spans.
        case truncated(place: TextPlace)

        /// The name of the counter.
        func meter(_ signal: Signal) -> String {
            let what =
                switch self {
                case .mapped: "mapped_\(signal.itemsName)"
                case .repaired: "repaired_\(signal.itemsName)"
                case .unmapped: "unmapped_\(signal.itemsName)"
                case .removed(let outcome): "\(outcome.word)_\(signal.itemsName)"
                case .sampledOut: "\(Outcome.sampledOut.word)_\(signal.itemsName)"
                case .defaulted: "defaulted_\(signal.itemsName)"
                case .forgottenRoutes: "forgotten_routes"
                case .redacted: "redacted"
                case .truncated: "truncated"
                }
            return "millrace_processor_\(what)_total"
        }

        /// The labels that it adds to those of its processor.
        var labels: [String: String] {
            switch self {
            case .redacted(let detector, let place): ["detector": detector, "place": place.rawValue]
            case .truncated(let place): ["place": place.rawValue]
            case .sampledOut(let policy): ["policy": policy]
            case .mapped, .repaired, .unmapped, .removed, .defaulted, .forgottenRoutes: [:]
            }
        }
    }

    /// One count.
    package struct Entry: Sendable, Equatable {
        package let processor: String
        package let kind: Kind
        package fileprivate(set) var spans: Int
    }

    /// The counts, in the order in which they first came; none is zero.
    package private(set) var entries: [Entry] = []

    package init() {}

    /// Adds to a count.
    package mutating func add(_ spans: Int, _ kind: Kind, by processor: String) {
        guard spans > 0 else { return }
        if let index = entries.firstIndex(where: { $0.kind == kind && $0.processor == processor }) {
            entries[index].spans += spans
        } else {
            entries.append(Entry(processor: processor, kind: kind, spans: spans))
        }
    }

    /// The count of that kind by that processor.
    package func count(_ kind: Kind, by processor: String) -> Int {
        entries.first { $0.kind == kind && $0.processor == processor }?.spans ?? 0
    }
}
