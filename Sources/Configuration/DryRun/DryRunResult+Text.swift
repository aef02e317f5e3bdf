import Basics
import MLflow
import OTLP
import Pipeline
import Settings

extension DryRunResult {
    /// For people: a block for each span, and a line that sums up.
    package var text: String {
        let end = refusal == nil ? "delivered to \(exporters.joined(separator: ", "))" : "refused with its request"
        return (spans.map { $0.text(end) } + [summary]).joined(separator: "\n\n") + "\n"
    }

    /// `pipeline traces: 4 spans, 3 to mlflow; sampled_out by share: 1`.
    private var summary: String {
        var counts: [(what: String, spans: Int)] = []
        for span in spans {
            guard let removal = span.removal else { continue }
            let what = span.flaw == nil ? "\(removal.reason.word) by \(removal.processor)" : "invalid"
            if let index = counts.firstIndex(where: { $0.what == what }) {
                counts[index].spans += 1
            } else {
                counts.append((what, 1))
            }
        }
        let lost = counts.map { "; \($0.what): \($0.spans)" }.joined()
        let all = spans.count == 1 ? "1 span" : "\(spans.count) spans"
        if let refusal { return "pipeline \(pipeline): \(all), answered 403: \(refusal)\(lost)" }
        return "pipeline \(pipeline): \(all), \(kept) to \(exporters.joined(separator: ", "))\(lost)"
    }
}

extension DryRunSpan {
    /// `end` says what becomes of it where no processor takes it out.
    fileprivate func text(_ end: String) -> String {
        var head =
            "\(name.isEmpty ? "(no name)" : name.excerpt(max: 80))  span \(spanID)  trace \("\(traceID)".prefix(8))…"
        if let service { head += "  service \(service.excerpt(max: 80))" }
        var lines = [head]
        if let flaw { return (lines + ["  invalid: \(flaw); refused before any processor"]).joined(separator: "\n") }
        let unused = ignoredConventions
        if conventions.count + unused.count > 0 {
            let used = conventions.isEmpty ? "none" : conventions.joined(separator: ", ")
            lines.append(
                "  conventions: \(used)" + (unused.isEmpty ? "" : "; ignored: \(unused.joined(separator: ", "))")
            )
        }
        lines += steps.flatMap(\.lines)
        if let removal {
            lines.append("  dropped by \(removal.processor): \(removal.reason.word)")
        } else {
            lines.append("  \(end)")
        }
        return lines.joined(separator: "\n")
    }
}

extension DryRunSpan.Step {
    /// Where the reasons begin, at most; longer lines have theirs where they end.
    private static let columnMax = 64
    /// Characters of what was done and of the reason, at most.
    private static let partMax = 400

    fileprivate var lines: [String] {
        // Keys, values and reasons hold what apps sent.
        let parts = findings.map(\.parts).map {
            ($0.what.excerpt(max: Self.partMax), $0.why.excerpt(max: Self.partMax))
        }
        let width = parts.map(\.0.count).filter { $0 <= Self.columnMax }.max() ?? 0
        return ["  \(processor) (\(type))" + (parts.isEmpty ? ": nothing" : "")]
            + parts.map { what, why in
                "    " + what + String(repeating: " ", count: max(0, width - what.count)) + "   " + why
            }
    }
}

extension DryRunSpan.Finding {
    /// What was done, and by which rule or why.
    fileprivate var parts: (what: String, why: String) {
        switch finding {
        case .routed(let route, let reason): return ("\(route)", reason)
        case .kept(let reason): return ("kept", reason)
        case .removed(let removal, let reason): return (removal.word, reason)
        case .changed(let decision):
            let from = decision.sources.isEmpty ? "" : ", from \(decision.sources.joined(separator: ", "))"
            let key = (isEvent ? "event " : "") + decision.target
            let target = key + (value.map { " = \($0.lineText.excerpt(max: 100))" } ?? "")
            let rule = decision.rule + from
            return switch decision.action {
            case .set: (target, rule)
            case .repaired: ("repaired \(target)", rule)
            case .removed: ("removed \(target)", rule)
            case .renamed: ("renamed \(target)", rule)
            case .redacted: ("redacted \(target)", rule)
            case .truncated: ("cut \(target)", rule)
            case .dropped: ("dropped the span", rule)
            case .ignored(let reason): ("ignored \(target)", "\(rule): \(reason)")
            }
        }
    }
}
