import Basics
import Conditions
import OTLP
import Pipeline

/// Traces of one request about which the ratio is not asked.
enum Exemption {
    /// Why it is not.
    enum Reason: Equatable {
        /// The condition holds for one of its spans.
        case condition
        /// `sampling.priority` of one of its spans is above 0.
        case wanted
        /// `sampling.priority` of one of its spans is 0, and of none above that.
        case unwanted
    }

    /// Looks at every span that is still in; the condition is stronger than priorities, and a priority above 0 than one of 0.
    static func ofTraces(in work: inout SpanWork, _ keep: inout ConditionMatcher?) -> [TraceID: Reason] {
        var reasons: [TraceID: Reason] = [:]
        work.account.add(steps: work.batch.attributes.count)
        let body = work.batch.bytes
        for span in work.batch.spans.indices where work.batch.removal(of: span) == nil {
            let trace = work.batch.spans[span].traceID
            if work.satisfies(&keep, span) {
                reasons[trace] = .condition
            } else if let isWanted = isWanted(span, work.batch, body.span.bytes) {
                let known = reasons[trace]
                if known == nil || known == .unwanted { reasons[trace] = isWanted ? .wanted : .unwanted }
            }
        }
        return reasons
    }

    /// What the priority of a span says; nil where it has none, or one below 0.
    private static func isWanted(_ span: Int, _ batch: borrowing SpanBatch, _ body: RawSpan) -> Bool? {
        let attributes = batch.spans[span].attributes
        guard let attribute = attributes.last(where: { body.equals("sampling.priority", batch.attributes[$0].key) })
        else { return nil }
        let priority: Double? =
            switch AttributeValue(batch.attributes[attribute].value, in: body) {
            case .int(let value): Double(value)
            case .double(let value): value
            case .string(let range) where range.count <= digitsMax: Double(body.text(range))
            default: nil
            }
        guard let priority, priority >= 0 else { return nil }
        return priority > 0
    }

    /// Letters of a number that is given as a text.
    private static let digitsMax = 32
}
