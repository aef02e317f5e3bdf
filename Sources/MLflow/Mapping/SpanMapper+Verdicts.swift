import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// Gives type, model and provider: as an earlier span got them where nothing that decides differs.
    ///
    /// Where rules for models ask for more, for tokens perhaps, those are left to be decided later.
    ///
    /// - Returns: Whether the type is that of a model call.
    mutating func decideTypeAndModel(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) -> Bool {
        // Of a verdict it is not known which attributes it was made of.
        guard !tracksUse, let key = verdicts.key(scan.plan, scan.first, attributes, bytes) else {
            return decideAnew(index, &batch, bytes)
        }
        guard let verdict = verdicts.find(key, scan.plan, scan.first, attributes, bytes) else {
            return decide(key, index, &batch, bytes)
        }
        let range = verdict.attributes.range
        if !range.isEmpty {
            batch.addAttributes(to: .span(index), verdicts.letters.span.bytes, range)
            didMap = true
        }
        guard let type = verdict.type else { return false }
        outcome.spans.setType(type, of: index)
        return rules.isModelCall[type]
    }

    @inline(never)
    private mutating func decide(
        _ key: Verdicts.Key,
        _ index: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> Bool {
        let start = batch.addedBytes
        isVerdictFree = true
        let isModelCall = decideAnew(index, &batch, bytes)
        guard verdicts.credit.isGranted, isVerdictFree, isTypeFree(bytes) else { return isModelCall }
        batch.withAddedBytes(from: start) { written in
            verdicts.keep(
                key,
                scan.plan,
                scan.first,
                attributes,
                bytes,
                type: outcome.spans.type(of: index),
                written: written
            )
        }
        return isModelCall
    }

    private mutating func decideAnew(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) -> Bool {
        let isModelCall = decideType(index, &batch, bytes)
        if scan.plan.areModelsFree { decideModel(index, &batch, bytes) }
        return isModelCall
    }

    /// Whether the type of the span is none of a rule that asks more than its attributes.
    private mutating func isTypeFree(_ bytes: RawSpan) -> Bool {
        let plan = scan.plan
        if plan.freeKinds == plan.kinds.count { return true }
        return plan.kinds[..<plan.freeKinds].contains { type(of: $0, bytes) != nil }
    }
}
