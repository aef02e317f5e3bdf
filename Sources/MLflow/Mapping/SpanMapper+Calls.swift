import Basics
import Conditions
import OTLP

// One call of a model may be described by several spans: wrappers around it, instrumentations of two libraries, client and gateway.

extension SpanMapper {
    /// Leaves what a call used, and what it cost, on one of the spans that describe it, because MLflow sums over all of them.
    mutating func countCallsOnce(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        let calls = traces.modelCalls
        let wrappers = traces.wrappers.map(\.span)
        guard !calls.isEmpty else { return giveModels(to: wrappers, &batch, bytes) }
        guard calls.count + wrappers.count > 1 else { return }
        withdrawRecords(&batch, bytes)
        let used = repeated(calls.filter(\.hasUsage).map(\.span), wrappers, batch, bytes)
        giveModels(to: wrappers.filter { used[$0] != .repeated }, &batch, bytes)
        for wrapper in wrappers where used[wrapper] == .repeated {
            guard hasRoom(for: 0, on: wrapper, &batch) else { continue }
            batch.addAttribute("mlflow.chat.tokenUsage", to: .span(wrapper)) { $0.null() }
            didSet("mlflow.chat.tokenUsage", wrapper, by: .engine("children"))
        }
        for call in calls where used[call.span] == .repeated {
            guard let written = call.usage, hasRoom(for: 0, on: call.span, &batch) else { continue }
            withdraw("mlflow.chat.tokenUsage", written, call.span, &batch)
            outcome.spans.setTokens(nil, of: call.span)
        }
        let costs = calls.filter { $0.cost != nil }
        guard costs.count > 1 else { return }
        let cost = repeated(costs.map(\.span), [], batch, bytes)
        for call in costs where cost[call.span] == .repeated {
            guard let written = call.cost, hasRoom(for: 0, on: call.span, &batch) else { continue }
            withdraw("mlflow.llm.cost", written, call.span, &batch)
            outcome.spans.setCost(nil, of: call.span)
        }
    }

    /// Renames what was written, `repeat.chat.tokenUsage` for one, so that it is to be seen and not summed.
    private mutating func withdraw(_ key: StaticString, _ start: Int, _ span: Int, _ batch: inout SpanBatch) {
        batch.renameAddition(at: start, "mlflow.", to: "repeat.")
        batch.addAttribute(key, to: .span(span)) { $0.null() }
        didSet(key, span, by: .engine("repeated call"))
    }

    /// Whether a span carries something that MLflow sums, and whether another one carries the same.
    private enum Standing: UInt8 {
        case none, counted, repeated
    }

    /// By span: what of calls and of wrappers, which are no calls, is repeated elsewhere.
    private mutating func repeated(
        _ calls: [Int],
        _ wrappers: [Int],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan
    ) -> [Standing] {
        var standings = [Standing](filledWith: .none, count: spans.count)
        for span in wrappers { standings[span] = .counted }
        for span in calls { standings[span] = .counted }
        guard let first = calls.first else { return standings }
        repeatAbove(calls, &standings)
        if calls.contains(where: { spans[$0].scope != spans[first].scope }) {
            repeatSameCalls(calls, &standings, batch, bytes)
            repeatAround(calls, &standings, batch, bytes)
            repeatOverhanging(&standings, batch, bytes)
        }
        return standings
    }

    /// Of spans one above the other the deepest keeps what the call used: of model calls those that do the same, and all wrappers.
    ///
    /// A tool that a model call runs may call a model itself: another call than the one above.
    private mutating func repeatAbove(_ calls: [Int], _ standings: inout [Standing]) {
        let positions = SpanPositions(spans)
        var seen = [UInt8](filledWith: 0, count: spans.count)
        content.tape.account.steps &+= spans.count
        // Whose numbers are repeated below went up already from there.
        for call in calls where standings[call] == .counted {
            var kind = callKind(of: call)
            var current = call
            // What is above a span that was seen was seen too.
            while let parent = positions.parent(of: current, spans), parent != call, seen[parent] & kind.rawValue == 0 {
                seen[parent] |= kind.rawValue
                if standings[parent] == .counted, !isOther(parent, kind) { standings[parent] = .repeated }
                if self.kind(of: parent) == .tool { kind = .belowTool }
                current = parent
            }
        }
    }

    /// Of spans with the same id of an answer the one that starts last keeps what the call used.
    private mutating func repeatSameCalls(
        _ calls: [Int],
        _ standings: inout [Standing],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan
    ) {
        var known: [String: [Int]] = [:]
        let services = services(of: calls, batch)
        for call in calls where standings[call] == .counted {
            guard let id = answerID(of: call, bytes) else { continue }
            let others = known[id, default: []].suffix(Self.sameIDMax)
            content.tape.account.steps &+= others.count
            let other = others.first { standings[$0] == .counted && areOne(call, $0, services, batch, bytes) }
            guard let other else {
                known[id, default: []].append(call)
                continue
            }
            let isInner = spans[call].start >= spans[other].start
            standings[isInner ? other : call] = .repeated
            if isInner { known[id, default: []].append(call) }
        }
    }

    /// Spans with one id that are compared with another one, at most.
    private static let sameIDMax = 16

    /// Whether spans with the same id describe one call.
    ///
    /// Servers that make none up give many answers one id, so that calls of several traces, those of one scope of a service, and those
    /// of one service that are not at the same time are several.
    private func areOne(
        _ span: Int,
        _ other: Int,
        _ services: [Int: ScopeService],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan
    ) -> Bool {
        let (first, second) = (spans[span], spans[other])
        guard first.traceID == second.traceID else { return false }
        let (service, otherService) = (services[first.scope], services[second.scope])
        let isSameService =
            service?.resource == otherService?.resource
            || bytes.isSame(service?.name ?? 0..<0, as: bytes, otherService?.name ?? 0..<0)
        guard isSameService else { return true }
        return !isSameScope(span, other, batch, bytes) && first.start <= end(of: other)
            && second.start <= end(of: span)
    }

    /// By scope: the service that calls are of; each resource is looked at once.
    private mutating func services(of calls: [Int], _ batch: borrowing SpanBatch) -> [Int: ScopeService] {
        var services: [Int: ScopeService] = [:]
        var last = ScopeService()
        for scope in Set(calls.map { spans[$0].scope }).sorted() {
            last = ScopeService(scope, in: batch, after: last)
            content.tape.account.steps &+= last.steps
            services[scope] = last
        }
        return services
    }

    private func isSameScope(_ span: Int, _ other: Int, _ batch: borrowing SpanBatch, _ bytes: RawSpan) -> Bool {
        bytes.isSame(batch.scopes[spans[span].scope].name, as: bytes, batch.scopes[spans[other].scope].name)
    }

    /// Of calls below one span, of several scopes, that used the same, one that starts in the time of another one and ends hardly later
    /// describes that one too: the end of a stream is seen last by whoever stands nearest to it.
    private mutating func repeatOverhanging(
        _ standings: inout [Standing],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan
    ) {
        var list = traces.modelCalls.filter { call in
            call.spent != nil && standings[call.span] == .counted && spans[call.span].parentID != nil
        }
        content.tape.account.steps &+= traces.modelCalls.count &+ list.count
        list.sort { left, right in
            let (first, second) = (spans[left.span], spans[right.span])
            return (first.parentID?.value ?? 0, first.start) < (second.parentID?.value ?? 0, second.start)
        }
        for (outer, inner) in zip(list, list.dropFirst()) where outer.spent == inner.spent {
            guard overhangs(inner.span, outer.span), !isOther(outer.span, callKind(of: inner.span)),
                !isSameScope(outer.span, inner.span, batch, bytes),
                answerID(of: outer.span, bytes) == nil || answerID(of: inner.span, bytes) == nil
            else { continue }
            standings[outer.span] = .repeated
        }
    }

    /// Whether of two spans below one the second one, but for a small part at its end, lies in the time of the other one.
    private func overhangs(_ inner: Int, _ outer: Int) -> Bool {
        let (first, second) = (spans[outer], spans[inner])
        guard first.traceID == second.traceID, first.parentID == second.parentID, second.start <= end(of: outer),
            end(of: inner) > end(of: outer)
        else { return false }
        return end(of: inner) - end(of: outer) <= (end(of: inner) - second.start) / 16
    }

    /// Its start where it never ended.
    func end(of span: Int) -> UInt64 { max(spans[span].start, spans[span].end) }

    /// The id of the answer that a span tells of; nil where it names none.
    private mutating func answerID(of span: Int, _ bytes: RawSpan) -> String? {
        look(at: span, spans[span], bytes)
        for call in scan.plan.calls {
            let attribute = scan.first &+ call.attribute
            let id =
                call.path.map { text(at: $0, in: attributes[attribute].value, bytes) }
                ?? attributes.text(of: attribute, bytes)
            if let id, id.count <= TextLimit.answerID { return bytes.text(id) }
        }
        return nil
    }

    /// Of calls below one span, of several scopes, the one in whose time another one lies is a wrapper of that one: where neither has an
    /// id, or one has none and both used the same.
    private mutating func repeatAround(
        _ calls: [Int],
        _ standings: inout [Standing],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan
    ) {
        let list = calls.filter { standings[$0] == .counted && spans[$0].parentID != nil }
        var named: Set<Int> = []
        for call in list where answerID(of: call, bytes) != nil { named.insert(call) }
        repeatAround(list.filter { !named.contains($0) }, &standings, batch, bytes) { _, _ in true }
        guard !named.isEmpty, named.count < list.count else { return }
        let spent = Dictionary(traces.modelCalls.map { ($0.span, $0.spent) }) { first, _ in first }
        content.tape.account.steps &+= spent.count
        repeatAround(list.filter { standings[$0] == .counted }, &standings, batch, bytes) { outer, inner in
            guard named.contains(outer) != named.contains(inner), let used = spent[outer] ?? nil else { return false }
            return used == spent[inner]
        }
    }

    private mutating func repeatAround(
        _ calls: [Int],
        _ standings: inout [Standing],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan,
        areOne: (Int, Int) -> Bool
    ) {
        var list = calls
        content.tape.account.steps &+= list.count
        list.sort { left, right in
            let parents = (spans[left].parentID?.value ?? 0, spans[right].parentID?.value ?? 0)
            return (parents.0, spans[left].start, end(of: right)) < (parents.1, spans[right].start, end(of: left))
        }
        guard var outer = list.first else { return }
        for span in list.dropFirst() {
            let (around, inner) = (spans[outer], spans[span])
            let isInside =
                around.parentID == inner.parentID && around.traceID == inner.traceID && end(of: outer) >= end(of: span)
            let isSameKind = !isOther(outer, callKind(of: span))
            let isWrapper = isInside && isSameKind && !isSameScope(outer, span, batch, bytes) && areOne(outer, span)
            if isWrapper { standings[outer] = .repeated }
            if isWrapper || !isInside { outer = span }
        }
    }

    /// What a span asks a model for.
    mutating func callKind(of span: Int) -> CallKind {
        guard let type = outcome.spans.type(of: span) else { return .other }
        return type < callKinds.count ? callKinds[type] : CallKind(outcome.spans[span].type)
    }

    /// Whether a span is a call of another kind.
    private mutating func isOther(_ span: Int, _ kind: CallKind) -> Bool {
        let own = callKind(of: span)
        return own != .other && own != kind
    }
}

/// What a call asks a model for; of two spans one above the other only those of one kind describe the same call.
enum CallKind: UInt8 {
    case text = 1
    case embedding = 2
    case ranking = 4
    case other = 8
    /// Any call, seen from above the tool that makes it.
    case belowTool = 16

    /// The kind of a type as MLflow names it.
    init(_ type: String?) {
        switch type {
        case "LLM", "CHAT_MODEL": self = .text
        case "EMBEDDING": self = .embedding
        case "RERANKER": self = .ranking
        default: self = .other
        }
    }
}
