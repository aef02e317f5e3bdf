import OTLP
package import Pipeline

extension Sample: ExplainableProcessor {
    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        decide(&work) { unit, verdict in
            let reason = reason(verdict)
            let finding: SpanNote.Finding =
                verdict.isKept ? .kept(reason: reason) : .removed(.sampledOut, reason: reason)
            notes.append(SpanNote(unit, finding))
        }
    }

    private func reason(_ verdict: Verdict) -> String {
        switch verdict {
        case .exempt(.condition): "the keep condition holds for it or its trace"
        case .exempt(.wanted): "sampling.priority of its trace is above 0"
        case .exempt(.unwanted): "sampling.priority of its trace is 0"
        case .share(let isKept): "its trace is \(isKept ? "in" : "outside of") the share of \(ratio.share)"
        case .contradictory: "its tracestate contradicts itself, and fail_closed is true"
        }
    }
}
