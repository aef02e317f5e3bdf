import Basics
import Conditions
import OTLP

// One call of a model may be described by several spans: wrappers around it, instrumentations of two libraries, client and gateway.

extension SpanMapper {
    /// Leaves what a call used on one of the spans that describe it, because MLflow sums over all of them.
    mutating func countCallsOnce(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        let calls = traces.modelCalls
        guard calls.count + traces.wrappers.count > 1, !calls.isEmpty else { return }
        var standings = [Standing](filledWith: .none, count: spans.count)
        for wrapper in traces.wrappers { standings[wrapper] = .counted }
        for call in calls { standings[call.span] = .counted }
        repeatAbove(calls, &standings)
        let first = spans[calls[0].span].scope
        if calls.contains(where: { spans[$0.span].scope != first }) {
            repeatSameCalls(calls, &standings, batch, bytes)
            repeatAround(calls, &standings, batch, bytes)
        }
        for wrapper in traces.wrappers where standings[wrapper] == .repeated {
            guard hasRoom(for: 0, on: wrapper, &batch) else { continue }
            batch.addAttribute("mlflow.chat.tokenUsage", to: .span(wrapper)) { $0.null() }
            didSet("mlflow.chat.tokenUsage", wrapper, by: .engine("children"))
        }
        for call in calls where standings[call.span] == .repeated { withdraw(call, &batch) }
    }

    /// Whether a span carries usage, and whether another one carries the same.
    private enum Standing: UInt8 {
        case none, counted, repeated
    }

    /// Renames what was written, `repeat.chat.tokenUsage`, so that it is to be seen and not summed; what the app wrote stays.
    private mutating func withdraw(_ call: TraceFacts.ModelCall, _ batch: inout SpanBatch) {
        guard call.usage ?? call.cost != nil, hasRoom(for: 0, on: call.span, &batch) else { return }
        if let cost = call.cost { batch.renameAddition(at: cost, "mlflow.", to: "repeat.") }
        guard let usage = call.usage else { return }
        batch.renameAddition(at: usage, "mlflow.", to: "repeat.")
        batch.addAttribute("mlflow.chat.tokenUsage", to: .span(call.span)) { $0.null() }
        didSet("mlflow.chat.tokenUsage", call.span, by: .engine("repeated call"))
        outcome.spans.setTokens(nil, of: call.span)
    }

    /// Of spans one above the other the deepest keeps what the call used: of model calls those that do the same, and all others.
    private mutating func repeatAbove(_ calls: [TraceFacts.ModelCall], _ standings: inout [Standing]) {
        let positions = SpanPositions(spans)
        var seen = [UInt8](filledWith: 0, count: spans.count)
        content.tape.account.steps &+= spans.count
        for call in calls {
            let kind = callKind(of: call.span)
            var current = call.span
            // What is above a span that was seen was seen too.
            while let parent = positions.parent(of: current, spans), seen[parent] & kind.rawValue == 0 {
                seen[parent] |= kind.rawValue
                if standings[parent] == .counted, !isOther(parent, kind) { standings[parent] = .repeated }
                current = parent
            }
        }
    }

    /// Of spans with the same id of an answer the one that starts last keeps what the call used.
    private mutating func repeatSameCalls(
        _ calls: [TraceFacts.ModelCall],
        _ standings: inout [Standing],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan
    ) {
        var known: [String: Int] = [:]
        for call in calls where standings[call.span] == .counted {
            guard let id = answerID(of: call.span, bytes) else { continue }
            guard let other = known[id] else {
                known[id] = call.span
                continue
            }
            guard areOne(call.span, other, batch) else { continue }
            let isInner = spans[call.span].start >= spans[other].start
            standings[isInner ? other : call.span] = .repeated
            if isInner { known[id] = call.span }
        }
    }

    /// Whether spans with the same id describe one call: servers that make none up give many answers one id, so that calls of one
    /// scope, and those of one process that are not at the same time, are several.
    private func areOne(_ span: Int, _ other: Int, _ batch: borrowing SpanBatch) -> Bool {
        let (first, second) = (spans[span], spans[other])
        guard first.scope != second.scope else { return false }
        let isSameProcess = batch.scopes[first.scope].resource == batch.scopes[second.scope].resource
        return !isSameProcess || first.start <= second.end && second.start <= first.end
    }

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

    /// Of calls without an id below one span, of several scopes, the one in whose time another one lies is a wrapper of that one.
    private mutating func repeatAround(
        _ calls: [TraceFacts.ModelCall],
        _ standings: inout [Standing],
        _ batch: borrowing SpanBatch,
        _ bytes: RawSpan
    ) {
        var list = calls.map(\.span).filter { standings[$0] == .counted && spans[$0].parentID != nil }
        list = list.filter { answerID(of: $0, bytes) == nil }
        content.tape.account.steps &+= list.count
        list.sort { left, right in
            let (left, right) = (spans[left], spans[right])
            let parents = (left.parentID?.value ?? 0, right.parentID?.value ?? 0)
            return (parents.0, left.start, right.end) < (parents.1, right.start, left.end)
        }
        guard var outer = list.first else { return }
        for span in list.dropFirst() {
            let (around, inner) = (spans[outer], spans[span])
            let isInside =
                around.parentID == inner.parentID && around.traceID == inner.traceID && around.end >= inner.end
            let (outerScope, innerScope) = (batch.scopes[around.scope].name, batch.scopes[inner.scope].name)
            let isSameKind = !isOther(outer, callKind(of: span))
            let isWrapper = isInside && isSameKind && !bytes.isSame(outerScope, as: bytes, innerScope)
            if isWrapper { standings[outer] = .repeated }
            if isWrapper || !isInside { outer = span }
        }
    }

    /// What a span asks a model for.
    private mutating func callKind(of span: Int) -> CallKind {
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
