import Basics
import Conditions
import MLflow
package import OTLP
package import Pipeline
package import Settings

/// The settings of `attributes`.
package struct AttributesSettings: Sendable {
    /// In the order they run, at least one.
    var actions: [AttributeAction] = []
    /// Only spans (log records, metrics) for which it holds are changed, with their events, data points, scope and resource; nil for all.
    var when: JSONNode?
    /// For the action `hash`.
    var hashKey: Secret?
}

/// One change to make, as the pipeline file has it.
struct AttributeAction: Sendable {
    /// Whose attributes are changed.
    enum Owner {
        case span, resource, scope, event, log, metric, dataPoint

        /// The signals that have it.
        var signals: Set<Signal> {
            switch self {
            case .span, .event: [.traces]
            case .log: [.logs]
            case .metric, .dataPoint: [.metrics]
            case .resource, .scope: Set(Signal.allCases)
            }
        }
    }

    /// What is done.
    enum Verb: String {
        case insert, update, upsert, delete, rename, hash
    }

    var owner = Owner.span
    var verb = Verb.upsert
    var key = ""
    var value: AttributeLiteral?
    var from: String?
    var to: String?
}

extension AttributesSettings: ProcessorSettings {
    package var signals: Set<Signal> { actions.reduce(into: []) { $0.formUnion($1.owner.signals) } }
    package var conditions: [String] { ["when"] }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Changes attributes. Every processor sees them as they came, so `mlflow_map` also maps what is deleted or hashed here, unless `assemble` follows; of what several write under one key the last counts.",
        AttributesSettings(),
        [
            Field("actions", \.actions, .array(of: .action), "What is done, in this order.", required: true),
            Field(
                "when",
                optional: \.when,
                .condition,
                "Only spans, log records and metrics for which this holds are changed, and resources and scopes that have one of these."
            ),
            Field("hash_key", optional: \.hashKey, .secret, "The key of the action `hash`."),
        ],
        check: { settings, group, context in
            if group["actions"]?.elements?.isEmpty == true {
                context.report("no action; at least one is needed", at: group.offset)
            }
            if settings.hashKey == nil, settings.actions.contains(where: { $0.verb == .hash }) {
                context.report("\"hash_key\" is missing; an action is \"hash\"", at: group.offset)
            }
        }
    )

    package var readsMapping: Bool { when != nil }

    package func makeProcessor(named name: String) throws -> (any SpanProcessor)? {
        try Attributes(name: name, settings: self)
    }
}

extension Shape<AttributeAction> {
    fileprivate static let action = Shape(
        "One change of attributes; the action says which other settings it takes.",
        AttributeAction(),
        [
            Field(
                "on",
                \.owner,
                .choice([
                    "span": .span, "resource": .resource, "scope": .scope, "event": .event, "log": .log,
                    "metric": .metric, "datapoint": .dataPoint,
                ]),
                "Whose attributes are changed: `resource` and `scope` in requests of every signal; those of a `metric` are its metadata; `datapoint` is each data point of a metric, of every kind."
            ),
            Field(
                "action",
                \.verb,
                .choice([
                    "insert": .insert, "update": .update, "upsert": .upsert, "delete": .delete, "rename": .rename,
                    "hash": .hash,
                ]),
                "`insert` sets what is missing, `update` what is there, `upsert` both; `hash` puts HMAC-SHA256 in the place of a value.",
                required: true
            ),
            Field("key", \.key, .text, "The attribute; for `delete` and `hash` also a glob.", required: true),
            Field("value", optional: \.value, .attributeLiteral, "What is set: a text, a number, true or false."),
            Field(
                "from",
                optional: \.from,
                .text,
                "In place of `value`: the attribute that is copied, `resource.KEY` for one of the resource; without it nothing is set."
            ),
            Field("to", optional: \.to, .text, "The new key for `rename`; an attribute that has it goes."),
        ],
        check: { action, group, context in
            guard group["action"]?.string == action.verb.rawValue else { return }
            let taken: [String] =
                switch action.verb {
                case .insert, .update, .upsert: ["value", "from"]
                case .rename: ["to"]
                case .delete, .hash: []
                }
            for name in ["value", "from", "to"] where !taken.contains(name) {
                guard let node = group[name] else { continue }
                context.within(name) { context in
                    context.report(
                        "\(quoted(name)) has no meaning for \(quoted(action.verb.rawValue))",
                        at: node.offset
                    )
                }
            }
            if !taken.isEmpty, taken.count(where: { group[$0] != nil }) != 1 {
                let names = taken.map(quoted).joined(separator: " and ")
                let what = taken.count > 1 ? "one of \(names) is needed, and only one" : "\(names) is missing"
                context.report(what, at: group.offset)
            }
            if Glob.isPattern(action.key), action.verb != .delete && action.verb != .hash, let key = group["key"] {
                context.within("key") { context in
                    context.report(
                        "\(quoted(action.key)) is a glob; only \"delete\" and \"hash\" take one",
                        at: key.offset
                    )
                }
            }
        }
    )
}

extension Kind<AttributeLiteral> {
    /// A value of an attribute that a pipeline file can write.
    fileprivate static let attributeLiteral = Kind(
        allowed: "a string, a number, true or false",
        brief: "text \\| number \\| `true` \\| `false`",
        schema: ["type": ["string", "number", "boolean"]],
        read: { node, context in
            switch node.value {
            case .string(let text): return .text(text)
            case .bool(let value): return .bool(value)
            case .number(let digits):
                if let value = Int64(digits) { return .int(value) }
                if let value = Double(digits), value.isFinite { return .double(value) }
            case .object, .array, .null: break
            }
            context.refuse(node, allowed: "a string, a number, true or false")
            return nil
        },
        write: { value in
            switch value {
            case .text(let text): .text(text)
            case .bool(let value): .bool(value)
            case .int(let value): .number("\(value)")
            case .double(let value): .number("\(value)")
            }
        }
    )
}

/// Changes attributes of spans, of their events, of log records, metrics and data points, and of their scopes and resources.
package struct Attributes: NotingProcessor {
    private let name: String
    private let condition: ConditionMatcher?
    /// By signal: those of spans, of metrics and of log records.
    private let ofUnit: [[AttributeChange]]
    private let ofEvent: [AttributeChange]
    private let ofDataPoint: [AttributeChange]
    private let ofScope: [AttributeChange]
    private let ofResource: [AttributeChange]
    /// Attributes of the resource that are copied.
    private let resourceKeys: [String]

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with the condition; offsets and pointers are those inside `when`.
    init(name: String, settings: AttributesSettings) throws(DocumentProblems) {
        self.name = name
        condition = if let node = settings.when { ConditionMatcher([try Condition(decoding: node)]) } else { nil }
        var keys: [String] = []
        let changes = settings.actions.enumerated().map { index, action in
            let hashKey = settings.hashKey?.text ?? ""
            return (action.owner, change: AttributeChange(action, number: index + 1, hashKey: hashKey, &keys))
        }
        resourceKeys = keys
        let of = { (owner: AttributeAction.Owner) in changes.filter { $0.0 == owner }.map(\.change) }
        (ofEvent, ofDataPoint, ofScope, ofResource) = (of(.event), of(.dataPoint), of(.scope), of(.resource))
        ofUnit = Signal.allCases.map { signal in
            switch signal {
            case .traces: of(.span)
            case .metrics: of(.metric)
            case .logs: of(.log)
            }
        }
    }

    package func run(_ work: inout SpanWork, _ notes: inout [SpanNote]?) {
        var condition = condition
        var unchanged = 0
        var copied: (resource: Int, attributes: [Int?]) = (-1, [])
        // Scopes and resources that are changed already, and what was done to them.
        var shared: [Place: [AttributeDecision]] = [:]
        let ofUnit = ofUnit[work.batch.signal.index]
        // What data points are read from; taken once, as marks that are shared are copied by the next change.
        let came = !ofDataPoint.isEmpty && work.batch.signal == .metrics ? work.batch : nil
        for span in 0..<work.batch.unitCount where work.batch.removal(of: span) == nil {
            if condition != nil, !work.satisfies(&condition, span) { continue }
            let entry = work.batch.unit(span)
            let resource = work.batch.scopes[entry.scope].resource
            // Spans of a resource follow each other.
            if copied.resource != resource { copied = (resource, attributes(toCopyFrom: resource, &work)) }
            var outcome = Outcome(isNoting: notes != nil)
            for (changes, place) in [(ofResource, Place.resource(resource)), (ofScope, .scope(entry.scope))] {
                guard !changes.isEmpty else { continue }
                if let earlier = shared[place] {
                    outcome.decisions += earlier
                } else {
                    let count = outcome.decisions.count
                    make(changes, at: place, copied.attributes, &work, &outcome)
                    shared[place] = Array(outcome.decisions[count...])
                }
            }
            make(ofUnit, at: .span(span), copied.attributes, &work, &outcome)
            if !ofEvent.isEmpty, work.batch.signal == .traces {
                for event in work.batch.spans[span].events {
                    make(ofEvent, at: .event(event), copied.attributes, &work, &outcome)
                }
            }
            if let came { changeDataPoints(of: span, came, copied.attributes, &work, &outcome) }
            if !outcome.isWhole { unchanged += 1 }
            notes? += outcome.decisions.map { SpanNote(span, .changed($0.on(span))) }
        }
        work.tally.add(unchanged, .unmapped, by: name)
        work.account.add(steps: condition?.steps ?? 0)
    }

    private func attributes(toCopyFrom resource: Int, _ work: inout SpanWork) -> [Int?] {
        let attributes = work.batch.resources[resource].attributes
        work.account.add(steps: attributes.count * resourceKeys.count)
        let body = work.batch.bytes
        return resourceKeys.map { body.span.bytes.attribute(Array($0.utf8), in: attributes, of: work.batch) }
    }

    /// What was done for one span.
    private struct Outcome {
        let isNoting: Bool
        var decisions: [AttributeDecision] = []
        /// Whether everything fit into what the request may cost.
        var isWhole = true
    }

    private func make(
        _ changes: [AttributeChange],
        at place: Place,
        _ resource: [Int?],
        _ work: inout SpanWork,
        _ outcome: inout Outcome
    ) {
        guard !changes.isEmpty else { return }
        var edits = AttributeEdits(place, of: work.batch, isNoting: outcome.isNoting)
        for change in changes { edits.make(change, resource, in: work.batch) }
        work.account.add(steps: edits.steps)
        if !edits.write(to: &work.batch, at: place, bytesMax: work.addedMax) { outcome.isWhole = false }
        outcome.decisions += edits.decisions ?? []
    }

    private func changeDataPoints(
        of metric: Int,
        _ batch: borrowing SpanBatch,
        _ resource: [Int?],
        _ work: inout SpanWork,
        _ outcome: inout Outcome
    ) {
        let (body, bytesMax) = (batch.bytes, work.addedMax)
        var steps = 0
        steps += work.batch.editDataPoints(of: metric) { point, added in
            var edits = AttributeEdits(point, isNoting: outcome.isNoting)
            for change in ofDataPoint { edits.make(change, resource, in: batch) }
            steps += edits.steps
            let (edit, isWhole) = edits.edit(body, added: added, bytesMax: bytesMax)
            if !isWhole { outcome.isWhole = false }
            outcome.decisions += edits.decisions ?? []
            return edit
        }
        work.account.add(steps: steps)
    }
}

extension AttributeDecision {
    /// The same about another span.
    fileprivate func on(_ span: Int) -> AttributeDecision {
        AttributeDecision(span: span, action: action, target: target, rule: rule, sources: sources)
    }
}
