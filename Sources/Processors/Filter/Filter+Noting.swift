import OTLP
package import Pipeline

extension Filter: ExplainableProcessor {
    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        filter(&work) { unit, effect in notes.append(SpanNote(unit, finding(effect, about: unit))) }
    }

    private func finding(_ effect: Effect, about span: Int) -> SpanNote.Finding {
        switch effect {
        case .dropped:
            .removed(.filtered, reason: dropsMatches ? "the drop condition holds" : "the keep condition does not hold")
        case .droppedWithParent: .removed(.filtered, reason: "a span above it is dropped")
        case .thinned: .kept(reason: "several spans below it stay, and it connects them; its content goes")
        case .reparented:
            .changed(
                AttributeDecision(span: span, action: .set, target: "parent_span_id", rule: "children: reparent")
            )
        }
    }
}
