import Basics
import MLflow
import OTLP
import Pipeline
import Settings

extension DryRunResult {
    /// Several requests as one JSON document, for other programs.
    package static func json(_ requests: [DryRunResult]) -> String {
        let document: JSON = ["pipelines": .array(requests.map(\.json))]
        return document.indentedText() + "\n"
    }

    private var json: JSON {
        [
            "pipeline": .text(pipeline), "exporters": .words(exporters), "kept": .integer(kept),
            "refused": refusal.map(JSON.text) ?? .null,
            "spans": .array(spans.map(\.json)),
        ]
    }
}

extension DryRunSpan {
    /// What a row needs, of one that is explained or not.
    var brief: JSON {
        [
            "name": .text(name), "span_id": .text("\(spanID)"), "trace_id": .text("\(traceID)"),
            "service": service.map(JSON.text) ?? .null, "experiment": route.experiment.map(JSON.text) ?? .null,
            "dropped": removal.map { .text($0.reason.word) } ?? .bool(false),
            "dropped_by": removal.map { .text($0.processor) } ?? .null,
        ]
    }

    var json: JSON {
        .object(
            [
                JSON.Member("name", .text(name)), JSON.Member("span_id", .text("\(spanID)")),
                JSON.Member("trace_id", .text("\(traceID)")),
                JSON.Member("service", service.map(JSON.text) ?? .null),
                JSON.Member("invalid", flaw.map { .text("\($0)") } ?? .null),
                JSON.Member("conventions", .words(conventions)),
                JSON.Member("ignored_conventions", .words(ignoredConventions)),
                JSON.Member("processors", .array(steps.map(\.json))),
                JSON.Member("experiment", route.experiment.map(JSON.text) ?? .null),
                JSON.Member("dropped", removal.map { .text($0.reason.word) } ?? .bool(false)),
                JSON.Member("dropped_by", removal.map { .text($0.processor) } ?? .null),
                JSON.Member("attributes", .object(view.finalAttributes)), JSON.Member("events", .words(view.events)),
            ]
        )
    }
}

extension DryRunSpan.Step {
    fileprivate var json: JSON {
        ["name": .text(processor), "type": .text(type), "findings": .array(findings.map(\.json))]
    }
}

extension DryRunSpan.Finding {
    fileprivate var json: JSON {
        switch finding {
        case .routed(let route, let reason): ["action": "routed", "route": .text("\(route)"), "reason": .text(reason)]
        case .kept(let reason): ["action": "kept", "reason": .text(reason)]
        case .removed(let removal, let reason): ["action": .text(removal.word), "reason": .text(reason)]
        case .changed(let decision): json(of: decision)
        }
    }

    private func json(of decision: AttributeDecision) -> JSON {
        let (action, reason): (String, String?) =
            switch decision.action {
            case .set: ("set", nil)
            case .repaired: ("repaired", nil)
            case .removed: ("removed", nil)
            case .renamed: ("renamed", nil)
            case .redacted: ("redacted", nil)
            case .truncated: ("truncated", nil)
            case .dropped: ("dropped", nil)
            case .ignored(let reason): ("ignored", reason)
            }
        let common: JSON = [
            "action": .text(action), "target": .text(decision.target), "rule": .text(decision.rule),
            "from": .words(decision.sources),
        ]
        let value: JSON = self.value.map { ["value": $0] } ?? [:]
        return common.adding(value).adding(reason.map { ["reason": .text($0)] } ?? [:])
    }
}

extension Route {
    /// The name or id of the experiment; nil where no processor chose one.
    var experiment: String? {
        switch self {
        case .none: nil
        case .experimentName(let name): name
        case .experimentID(let id): id
        }
    }
}
