import Basics
import OTLP
package import Pipeline

// Traces that are shown while they are open.

extension Assemble {
    package func show(
        _ parts: [WholeTrace.Part],
        of key: TraceKey,
        amid all: [WholeTrace.Part]?
    ) -> AssembledTrace? {
        if let all, !isRouteSure(all, key) { return nil }
        var shown = AssembledTrace(route: .none, payload: [], items: 0)
        for part in parts {
            let alone = alone(part, of: key, isCounted: true)
            // What may not go there is told at the end.
            guard alone.refusal == nil else { return nil }
            shown.route = alone.route
            shown.payload += alone.payload
            shown.items += alone.items
            shown.services = (shown.services ?? []) + alone.serviceCounts
        }
        return shown
    }

    /// What went ahead of a trace, made again: the bytes of its spans by their ids.
    ///
    /// Where nobody remembers it, the trace gets the route that it got then.
    func ahead(of trace: WholeTrace) -> [SpanID: Set<ArraySlice<UInt8>>] {
        var known: [SpanID: Set<ArraySlice<UInt8>>] = [:]
        for index in trace.ahead.sorted() where trace.parts.indices.contains(index) {
            guard let batch = try? SpanBatch(alone(trace.parts[index], of: trace.key, isCounted: false).payload) else {
                continue
            }
            for span in batch.spans.indices {
                known[batch.spans[span].spanID, default: []].insert(batch.bytes[batch.spans[span].field])
            }
        }
        return known
    }

    /// A record of a trace as if there were no other: it depends on nothing else; with what it counts for where that is asked for.
    private func alone(_ part: WholeTrace.Part, of key: TraceKey, isCounted: Bool) -> AssembledTrace {
        guard let batch = try? SpanBatch(part.payload), batch.spans.count > 0 else {
            let items = SpanHead.all(in: part.payload).count
            return AssembledTrace(route: part.metadata.route, payload: part.payload, items: items)
        }
        var work = work(batch, TracePlace(key: key, top: 0), of: part)
        for processor in processors { processor.process(&work) }
        let route = work.route(of: 0)
        let target = route == .none ? part.metadata.route : route
        for span in work.batch.spans.indices { work.batch.assign(span, to: 0) }
        let written = work.batch.encoded()
        var made = AssembledTrace(route: target, payload: written?.payload ?? [], items: written?.items ?? 0)
        if isCounted { made.services = work.services { _ in target } }
        if route != .none { made.refusal = work.source.identity?.refusal(of: route) }
        return made
    }

    /// Whether nothing that is still to come may send the trace elsewhere.
    private func isRouteSure(_ parts: [WholeTrace.Part], _ key: TraceKey) -> Bool {
        // What is left of dropped spans alone says nothing of the route.
        let parts = parts.filter { !$0.payload.isEmpty }
        guard Set(parts.map(\.metadata.route)).count == 1 else { return false }
        let routers = processors.compactMap { $0 as? MLflowExperiment }
        guard !routers.isEmpty else { return true }
        let draft = TraceDraft(parts)
        let orphans = TraceRepair(draft.heads).orphans
        var services: Set<[UInt8]> = []
        let works = parts.compactMap { part -> SpanWork? in
            guard let batch = try? SpanBatch(part.payload) else { return nil }
            for span in batch.spans.indices { services.insert(Self.service(of: span, batch)) }
            return work(batch, TracePlace(key: key, top: 0), of: part)
        }
        guard works.count == parts.count else { return false }
        let isOneService = services.count == 1 && !orphans.contains { draft.heads[$0].isParentRemote }
        return routers.allSatisfy { router in
            let routes = works.map { router.sureRoute(of: $0, isOneService: isOneService) }
            return !routes.contains(nil) && Set(routes).count == 1
        }
    }

    private static func service(of span: Int, _ batch: borrowing SpanBatch) -> [UInt8] {
        let resource = batch.resources[batch.scopes[batch.spans[span].scope].resource]
        let found = batch.attribute("service.name", in: resource.attributes)
        return found.map { Array(batch.bytes[batch.attributes[$0].value]) } ?? []
    }
}

/// The spans of a whole trace in wire form: those to send for the first time, and those that went ahead.
struct WrittenTrace {
    private(set) var payload: [UInt8] = []
    private(set) var items = 0
    private(set) var amended: AmendedSpans?

    /// The topmost span in front of all others: MLflow takes the session of the first that has one.
    ///
    /// - Parameters:
    ///   - batch: The trace.
    ///   - top: Its root, else its topmost span.
    ///   - known: What went ahead, by the ids of its spans.
    ///   - wentAhead: By span: whether it did.
    init(
        _ batch: inout SpanBatch,
        first top: Int,
        _ known: [SpanID: Set<ArraySlice<UInt8>>],
        wentAhead: (Int) -> Bool
    ) {
        for span in batch.spans.indices {
            let isFirst = span == top || top == 0
            batch.assign(span, to: wentAhead(span) ? (span == top ? 2 : 3) : isFirst ? 0 : 1)
        }
        guard top > 0 || !known.isEmpty else {
            let all = batch.encoded()
            (payload, items) = (all?.payload ?? [], all?.items ?? 0)
            return
        }
        var ahead: [UInt8] = []
        // What the records cost was accounted for when they came.
        var account = RequestAccount(bytes: batch.bytes.count, limits: .none)
        for group in batch.groups {
            guard let written = try? batch.encoded(group, charging: &account) else { continue }
            if group.number < 2 {
                payload += written.payload
                items += written.items
            } else {
                ahead += written.payload
            }
        }
        guard !ahead.isEmpty else { return }
        amended = Self.amended(ahead, known, top: wentAhead(top) ? batch.spans[top].spanID : nil)
    }

    /// Parts what went ahead by whether it is still the same.
    private static func amended(
        _ payload: [UInt8],
        _ known: [SpanID: Set<ArraySlice<UInt8>>],
        top: SpanID?
    ) -> AmendedSpans? {
        guard var batch = try? SpanBatch(payload) else { return nil }
        var leads = false
        for span in batch.spans.indices {
            let (id, bytes) = (batch.spans[span].spanID, batch.bytes[batch.spans[span].field])
            let isSame = known[id]?.contains(bytes) ?? false
            if !isSame, id == top { leads = true }
            batch.assign(span, to: isSame ? 1 : 0)
        }
        return AmendedSpans(changed: batch.encoded(group: 0), same: batch.encoded(group: 1), leads: leads)
    }
}
