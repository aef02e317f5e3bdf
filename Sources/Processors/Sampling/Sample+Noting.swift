import Basics
import Conditions
import OTLP
package import Pipeline

extension Sample: ExplainableProcessor {
    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        let present = work.batch.spans.indices.filter { work.batch.removal(of: $0) == nil }
        var matcher = keep
        let exempt = present.map { work.satisfies(&matcher, $0) }
        process(&work)
        for (span, isExempt) in zip(present, exempt) {
            let isKept = work.batch.removal(of: span) == nil
            let chance = "its trace is \(isKept ? "in" : "outside of") the share of \(ratio)"
            let condition = keep == nil ? "" : ", and the keep condition does not hold"
            let finding: SpanNote.Finding =
                switch (isExempt, isKept) {
                case (true, _): .kept(reason: "the keep condition holds")
                case (false, true): .kept(reason: chance)
                case (false, false): .removed(.sampledOut, reason: chance + condition)
                }
            notes.append(SpanNote(span, finding))
        }
    }
}
