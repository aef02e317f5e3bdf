import Basics
import MLflow
import OTLP
import Pipeline

extension RehearsedRequest {
    /// For people: a block for each span, and a line that sums up.
    package var text: String {
        (spans.map { $0.text(exporters) } + [summary]).joined(separator: "\n\n") + "\n"
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
        return "pipeline \(pipeline): \(all), \(kept) to \(exporters.joined(separator: ", "))\(lost)"
    }
}

extension RehearsedSpan {
    fileprivate func text(_ exporters: [String]) -> String {
        var head = "\(name.excerpt(max: 80))  span \(spanID)  trace \("\(traceID)".prefix(8))…"
        if let service { head += "  service \(service.excerpt(max: 80))" }
        var lines = [head]
        if let flaw { return (lines + ["  invalid: \(flaw); refused before any processor"]).joined(separator: "\n") }
        let unused = ignoredConventions
        if conventions.count + unused.count > 0 {
            let ignored = unused.isEmpty ? "" : "; ignored: \(unused.joined(separator: ", "))"
            lines.append(
                "  conventions: \(conventions.isEmpty ? "none" : conventions.joined(separator: ", "))\(ignored)"
            )
        }
        for step in steps {
            lines.append("  \(step.processor) (\(step.type))" + (step.findings.isEmpty ? ": nothing" : ""))
            lines += step.findings.map { "    " + $0.text }
        }
        if let removal {
            lines.append("  dropped by \(removal.processor): \(removal.reason.word)")
        } else {
            lines.append("  delivered to \(exporters.joined(separator: ", "))")
        }
        return lines.joined(separator: "\n")
    }
}

extension RehearsedSpan.Finding {
    /// Where a rule's name begins, at least.
    private static let ruleColumn = 44

    fileprivate var text: String {
        switch finding {
        case .routed(let route, let reason): return aligned("\(route)", reason)
        case .kept(let reason): return "kept: \(reason)"
        case .removed(let removal, let reason): return "\(removal.word): \(reason)"
        case .mapped(let decision):
            let from = decision.sources.isEmpty ? "" : ", from \(decision.sources.joined(separator: ", "))"
            let equals = value.map { " = \($0.lineText.excerpt(max: 100))" } ?? ""
            let rule = decision.rule + from
            return switch decision.action {
            case .set: aligned(decision.target + equals, rule)
            case .repaired: aligned("repaired " + decision.target + equals, rule)
            case .removed: aligned("removed " + decision.target, rule)
            case .renamed: aligned("renamed " + decision.target + equals, rule)
            case .dropped: aligned("dropped the span", rule)
            case .ignored(let reason): aligned("ignored " + decision.target, "\(rule): \(reason)")
            }
        }
    }

    private func aligned(_ text: String, _ rule: String) -> String {
        text + String(repeating: " ", count: max(3, Self.ruleColumn - text.count)) + rule
    }
}
