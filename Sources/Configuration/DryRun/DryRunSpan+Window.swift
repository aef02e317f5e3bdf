import Basics
import OTLP
import Pipeline

extension [DryRunSpan] {
    /// The same with what a window made of their traces; spans that it added come last.
    func decided(
        by window: (name: String, type: String),
        _ traces: [(key: TraceKey, trace: AssembledTrace)],
        explained isExplained: Bool
    ) -> [DryRunSpan] {
        var spans = self
        var places: [TraceID: [SpanID: Int]] = [:]
        for (index, span) in spans.enumerated() where span.removal == nil {
            places[span.traceID, default: [:]][span.spanID] = index
        }
        var delivered: Set<Int> = []
        for (key, trace) in traces {
            guard let batch = try? SpanBatch(trace.payload) else { continue }
            for unit in batch.spans.indices {
                let known = places[key.trace]?[batch.spans[unit].spanID]
                if known == nil { spans.append(DryRunSpan(batch, unit, explained: isExplained)) }
                let index = known ?? spans.count - 1
                delivered.insert(index)
                spans[index].route = trace.route
                guard isExplained else { continue }
                spans[index].view = SpanView(batch, unit)
                let findings = trace.verdict.map { [finding(.kept(reason: $0.reason))] } ?? []
                spans[index].steps.append(.init(processor: window.name, type: window.type, findings: findings))
            }
        }
        for (key, trace) in traces {
            guard let verdict = trace.verdict, !verdict.isKept else { continue }
            for index in (places[key.trace] ?? [:]).values where !delivered.contains(index) {
                let findings = [finding(.removed(.sampledOut, reason: verdict.reason))]
                spans[index].route = trace.route
                spans[index].steps.append(.init(processor: window.name, type: window.type, findings: findings))
                spans[index].removal = (.sampledOut, window.name)
            }
        }
        for index in indices where spans[index].removal == nil && !delivered.contains(index) {
            spans[index].removal = (.filtered, window.name)
        }
        return spans
    }

    private func finding(_ finding: SpanNote.Finding) -> DryRunSpan.Finding {
        .init(finding: finding, value: nil, isEvent: false)
    }
}

extension TraceVerdict {
    /// In words, for `explain`.
    fileprivate var reason: String {
        switch (isKept, threshold) {
        case (true, nil): "policy \(policy) keeps its trace"
        case (true, _?): "its trace is in the share of policy \(policy)"
        case (false, _): "policy \(policy) drops its trace"
        }
    }
}
