import Basics
package import OTLP

/// Says which spans of a request satisfy which of some conditions.
///
/// What a condition asks of a resource or of an instrumentation scope is found out once for each, and the attributes that
/// conditions ask for are looked up in one pass over those of a span or resource: one span costs a number of steps linear in
/// its own size, whatever its resource holds.
package struct ConditionMatcher: Sendable {
    /// A condition, ready to be asked.
    private indirect enum Node: Sendable {
        case attribute(Int, Condition.Test)
        case resource(Int, Condition.Test, answer: Int)
        case scope(Condition.Test, answer: Int)
        case event(Condition.Test)
        case name(Condition.Test)
        case kind(Condition.Test)
        case status(Condition.Test)
        /// The attribute has it where `mlflow_map` did not run.
        case spanType(Int, Condition.Test)
        case duration(Condition.Test)
        /// The attributes have them where `mlflow_map` did not run.
        case tokens(input: Int, output: Int, Condition.Test)
        case root(Bool)
        case severity(Condition.Test)
        case body(Condition.Test)
        case metric(Condition.Test)
        case all([Node])
        case any([Node])
        case not(Node)
    }

    /// What was found out about one resource or scope.
    private struct Answer {
        /// The position of the resource or scope; -1 for none.
        var owner: Int32 = -1
        var holds = false
    }

    private var nodes: [Node] = []
    private var spanKeys = AttributeFinder()
    private var resourceKeys = AttributeFinder()
    /// Spans of a resource, and of a scope, follow each other, so that the latest answer is all that is kept.
    private var answers: [Answer] = []
    /// The work done since the last `begin`: one step for each attribute, event and array element looked at, one for each
    /// text tested, and one for every 16 bytes of it.
    package private(set) var steps = 0

    /// Makes conditions ready; their positions are what `matches` takes.
    package init(_ conditions: [Condition]) {
        for condition in conditions { nodes.append(node(condition)) }
        spanKeys.finish()
        resourceKeys.finish()
    }

    /// Forgets the request before.
    package mutating func begin() {
        steps = 0
        spanKeys.clear()
        resourceKeys.clear()
        for index in answers.indices { answers[index] = Answer() }
    }

    /// Whether a span satisfies the condition at that position; `mapped` is what `mlflow_map` found out about the span, where
    /// it ran.
    ///
    /// Of other signals than traces, the log record or metric of that number.
    ///
    /// Until the next `begin`, every call is about the same request.
    package mutating func matches(
        _ condition: Int,
        _ span: Int,
        in batch: borrowing SpanBatch,
        mapped: MappedSpan?
    ) -> Bool {
        batch.signal == .traces
            ? holds(nodes[condition], span, batch, mapped) : holds(nodes[condition], unit: span, batch)
    }

    private mutating func node(_ condition: Condition) -> Node {
        switch condition {
        case .attribute(let key, let test): .attribute(spanKeys.slot(of: String(decoding: key, as: UTF8.self)), test)
        case .resource(let key, let test): resource(String(decoding: key, as: UTF8.self), test)
        case .service(let test): resource("service.name", test)
        case .scope(let test): .scope(test, answer: newAnswer())
        case .event(let test): .event(test)
        case .name(let test): .name(test)
        case .kind(let test): .kind(test)
        case .status(let test): .status(test)
        case .spanType(let test): .spanType(spanKeys.slot(of: "mlflow.spanType"), test)
        case .duration(let test): .duration(test)
        case .tokens(let test):
            .tokens(
                input: spanKeys.slot(of: "gen_ai.usage.input_tokens"),
                output: spanKeys.slot(of: "gen_ai.usage.output_tokens"),
                test
            )
        case .root(let isRoot): .root(isRoot)
        case .severity(let test): .severity(test)
        case .body(let test): .body(test)
        case .metric(let test): .metric(test)
        case .all(let conditions): .all(conditions.map { node($0) })
        case .any(let conditions): .any(conditions.map { node($0) })
        case .not(let condition): .not(node(condition))
        }
    }

    private mutating func resource(_ key: String, _ test: Condition.Test) -> Node {
        .resource(resourceKeys.slot(of: key), test, answer: newAnswer())
    }

    private mutating func newAnswer() -> Int {
        answers.append(Answer())
        return answers.count - 1
    }

    private mutating func holds(
        _ node: Node,
        _ span: Int,
        _ batch: borrowing SpanBatch,
        _ mapped: MappedSpan?
    ) -> Bool {
        let entry = batch.spans[span]
        let bytes = batch.bytes.span.bytes
        switch node {
        case .attribute(let key, let test):
            return test.holds(attribute(key, entry.attributes, batch), in: bytes, &steps)
        case .resource(let key, let test, let answer):
            return holds(test, key, resource: batch.scopes[entry.scope].resource, batch, answer)
        case .scope(let test, let answer): return holds(test, scope: entry.scope, batch, answer)
        case .event(let test):
            for event in batch.events[entry.events] {
                steps += 1
                if test.holds(.string(event.name), in: bytes, &steps) { return true }
            }
            return false
        case .name(let test): return test.holds(.string(entry.name), in: bytes, &steps)
        case .kind(let test): return test.holds(Self.name(entry.kind, of: Condition.kinds), &steps)
        case .status(let test): return test.holds(Self.name(entry.statusCode, of: Condition.statuses), &steps)
        case .spanType(let key, let test):
            if let mapped { return test.holds(mapped.type ?? "", &steps) }
            if case .string(let range) = attribute(key, entry.attributes, batch) {
                return test.holds(.string(range), in: bytes, &steps)
            }
            return test.holds("", &steps)
        case .duration(let test): return test.holds(Double(entry.end) - Double(entry.start))
        case .tokens(let input, let output, let test):
            let tokens = mapped.map(\.tokens) ?? ownTokens(entry, batch, input, output)
            return tokens.map { test.holds(Double($0)) } ?? test.holdsForMissing
        case .root(let isRoot): return (entry.parentID == nil) == isRoot
        case .severity(let test), .body(let test), .metric(let test): return test.holdsForMissing
        case .all(let nodes):
            for node in nodes where !holds(node, span, batch, mapped) { return false }
            return true
        case .any(let nodes):
            for node in nodes where holds(node, span, batch, mapped) { return true }
            return false
        case .not(let node): return !holds(node, span, batch, mapped)
        }
    }

    /// The same for a unit of another signal, which has nothing of what only spans have.
    private mutating func holds(_ node: Node, unit: Int, _ batch: borrowing SpanBatch) -> Bool {
        let entry = batch.unit(unit)
        switch node {
        case .attribute(let key, let test):
            return test.holds(attribute(key, entry.attributes, batch), in: batch.bytes.span.bytes, &steps)
        case .resource(let key, let test, let answer):
            return holds(test, key, resource: batch.scopes[entry.scope].resource, batch, answer)
        case .scope(let test, let answer): return holds(test, scope: entry.scope, batch, answer)
        case .event(let test), .name(let test), .kind(let test), .status(let test), .spanType(_, let test),
            .duration(let test), .tokens(_, _, let test):
            return test.holdsForMissing
        case .root: return false
        case .severity(let test):
            guard batch.signal == .logs else { return test.holdsForMissing }
            return batch.severity(of: unit, &steps).map { test.holds(Double($0)) } ?? test.holdsForMissing
        case .body(let test):
            guard batch.signal == .logs else { return test.holdsForMissing }
            return test.holds(batch.logBody(of: unit, &steps), in: batch.bytes.span.bytes, &steps)
        case .metric(let test):
            guard batch.signal == .metrics else { return test.holdsForMissing }
            return test.holds(.string(batch.metricName(of: unit, &steps)), in: batch.bytes.span.bytes, &steps)
        case .all(let nodes):
            for node in nodes where !holds(node, unit: unit, batch) { return false }
            return true
        case .any(let nodes):
            for node in nodes where holds(node, unit: unit, batch) { return true }
            return false
        case .not(let node): return !holds(node, unit: unit, batch)
        }
    }

    private mutating func holds(
        _ test: Condition.Test,
        scope: Int,
        _ batch: borrowing SpanBatch,
        _ answer: Int
    ) -> Bool {
        guard answers[answer].owner != scope else { return answers[answer].holds }
        let holds = test.holds(.string(batch.scopes[scope].name), in: batch.bytes.span.bytes, &steps)
        answers[answer] = Answer(owner: Int32(truncatingIfNeeded: scope), holds: holds)
        return holds
    }

    private mutating func holds(
        _ test: Condition.Test,
        _ key: Int,
        resource: Int,
        _ batch: borrowing SpanBatch,
        _ answer: Int
    ) -> Bool {
        guard answers[answer].owner != resource else { return answers[answer].holds }
        let found = resourceKeys.find(key, in: batch.resources[resource].attributes, of: batch, &steps)
        let value = found.map { batch.value(of: $0) }
        let holds = test.holds(value, in: batch.bytes.span.bytes, &steps)
        answers[answer] = Answer(owner: Int32(truncatingIfNeeded: resource), holds: holds)
        return holds
    }

    private mutating func attribute(
        _ key: Int,
        _ attributes: Range<Int>,
        _ batch: borrowing SpanBatch
    ) -> AttributeValue? {
        guard let found = spanKeys.find(key, in: attributes, of: batch, &steps) else { return nil }
        return batch.value(of: found)
    }

    /// The tokens of OpenTelemetry's own attributes; nil where there are none.
    private mutating func ownTokens(
        _ entry: SpanEntry,
        _ batch: borrowing SpanBatch,
        _ input: Int,
        _ output: Int
    ) -> Int64? {
        var sum: Int64?
        for key in [input, output] {
            guard case .int(let count) = attribute(key, entry.attributes, batch) else { continue }
            sum = (sum ?? 0).addingReportingOverflow(count).partialValue
        }
        return sum
    }

    private static func name(_ number: Int, of names: [String]) -> String {
        names.indices.contains(number) ? names[number] : "\(number)"
    }
}
