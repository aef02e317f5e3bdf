package import OTLP

/// What a condition may ask about: a member of its JSON object.
package struct ConditionSubject: Sendable {
    /// The member, such as `status`.
    package let name: String
    /// The signal that alone has it; nil for what all have.
    package let signal: Signal?
    /// In Markdown.
    let meaning: String
    /// A condition in JSON.
    package let example: String

    private init(_ name: String, of signal: Signal? = nil, _ meaning: String, _ example: String) {
        (self.name, self.signal, self.meaning, self.example) = (name, signal, meaning, example)
    }

    /// In the order of the reference.
    package static let all = [
        ConditionSubject(
            "attribute",
            "an attribute of that key, as it came; of a metric its metadata, which few have: those of data points are not asked",
            #"{"attribute": "http.response.status_code", "over": 499}"#
        ),
        ConditionSubject(
            "resource",
            "an attribute of the resource",
            #"{"resource": "k8s.namespace.name", "glob": "test-*"}"#
        ),
        ConditionSubject("service", "the resource's `service.name`", #"{"service": {"in": ["shop", "till"]}}"#),
        ConditionSubject(
            "scope",
            "the name of the instrumentation scope",
            #"{"scope": {"matches": "^opentelemetry"}}"#
        ),
        ConditionSubject("name", of: .traces, "the name", #"{"name": {"glob": "GET /health*"}}"#),
        ConditionSubject(
            "kind",
            of: .traces,
            "`\(Condition.kinds.joined(separator: "`, `"))`",
            #"{"kind": {"in": ["server", "consumer"]}}"#
        ),
        ConditionSubject(
            "status",
            of: .traces,
            "`\(Condition.statuses.joined(separator: "`, `"))`",
            #"{"status": "error"}"#
        ),
        ConditionSubject("root", of: .traces, "whether it has no parent", #"{"root": true}"#),
        ConditionSubject("event", of: .traces, "whether an event has that name", #"{"event": "exception"}"#),
        ConditionSubject("duration", of: .traces, "from start to end", #"{"duration": {"over": "2s"}}"#),
        ConditionSubject(
            "span_type",
            of: .traces,
            "MLflow's span type, as `mlflow_map` decided it, else as it came",
            #"{"span_type": "CHAT_MODEL"}"#
        ),
        ConditionSubject(
            "tokens",
            of: .traces,
            "all tokens of the model call, as `mlflow_map` found them, else as they came",
            #"{"tokens": {"over": 100000}}"#
        ),
        ConditionSubject(
            "severity",
            of: .logs,
            "`\(Condition.severities.joined(separator: "`, `"))`, each for its four numbers, or a number from 1 to 24; from the text where there is no number",
            #"{"severity": {"under": "warn"}}"#
        ),
        ConditionSubject("body", of: .logs, "the body", #"{"body": {"matches": "(?i)timeout"}}"#),
        ConditionSubject("metric", of: .metrics, "the name", #"{"metric": {"glob": "http.server.*"}}"#),
        ConditionSubject("all", "conditions that hold all", #"{"all": [{"root": true}, {"status": "error"}]}"#),
        ConditionSubject(
            "any",
            "conditions of which one holds",
            #"{"any": [{"kind": "server"}, {"event": "exception"}]}"#
        ),
        ConditionSubject(
            "not",
            "a condition that does not hold",
            #"{"not": {"attribute": "user.id", "exists": true}}"#
        ),
    ]

    /// What a pipeline file's reference says about conditions, in Markdown; ends with an empty line.
    package static var reference: String {
        let rows = all.map { subject in
            "| `\(subject.name)` | \(subject.signal?.units ?? "all") | \(subject.meaning) | `\(subject.example)` |\n"
        }
        return """
            ## Conditions

            A condition is an object with one of the members below. `attribute` and `resource` have the operators beside them; the \
            others take a value, which is to be equalled, or an object of operators, of which all must hold: `equals`, `in` (an \
            array), `matches` (RE2's syntax, found anywhere, at most 250 instructions of its program), `glob` (`*` and `?`), \
            `exists`, `over`, `under`. What is always a text has no `over` and `under`, what is always a number no `matches` and `glob`. Texts are compared with regard to case, and numbers only with numbers; a list passes where \
            one of its elements does. What is missing passes `"exists": false` alone. Of signals that do not have what is asked, a \
            condition never holds; `validate` says so.

            | member | of | what it asks | example |
            |---|---|---|---|
            \(rows.joined())

            """
    }
}
