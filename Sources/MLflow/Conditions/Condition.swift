import Basics
package import OTLP

/// What a span must be like: the one form used by filters, sampling, rules and routes.
///
/// Attributes are seen as the request brought them, before any processor changed them; the span type and the tokens are
/// those that `mlflow_map` decided, where it ran before.
package indirect enum Condition: Sendable {
    case attribute(key: [UInt8], Test)
    case resource(key: [UInt8], Test)
    /// The span has an event whose name passes.
    case event(Test)
    case name(Test)
    case kind(Test)
    case status(Test)
    case spanType(Test)
    case scope(Test)
    case service(Test)
    /// In nanoseconds.
    case duration(Test)
    case tokens(Test)
    case root(Bool)
    case all([Condition])
    case any([Condition])
    case not(Condition)

    /// What is asked of a value; all of it must hold.
    package struct Test: Sendable {
        let tests: [ValueTest]
    }

    /// The span types of which one is all that it asks for; nil where it asks for anything else.
    var spanTypes: [String]? {
        guard case .spanType(let test) = self, test.tests.count == 1, let texts = test.tests[0].texts,
            texts.allSatisfy({ !$0.isEmpty })
        else { return nil }
        return texts
    }

    /// Whether a span of the request satisfies the condition; `mapped` is what `mlflow_map` found out about it, where it
    /// ran.
    package func matches(_ span: Int, in batch: borrowing SpanBatch, mapped: MappedSpan?) -> Bool {
        let entry = batch.spans[span]
        let bytes = batch.bytes.span.bytes
        switch self {
        case .attribute(let key, let test):
            return test.holds(key, in: entry.attributes, of: batch)
        case .resource(let key, let test):
            let resource = batch.resources[batch.scopes[entry.scope].resource]
            return test.holds(key, in: resource.attributes, of: batch)
        case .service(let test):
            let resource = batch.resources[batch.scopes[entry.scope].resource]
            return test.holds(Self.serviceName, in: resource.attributes, of: batch)
        case .event(let test):
            return batch.events[entry.events].contains { test.holds($0.name, in: bytes) }
        case .name(let test): return test.holds(entry.name, in: bytes)
        case .scope(let test): return test.holds(batch.scopes[entry.scope].name, in: bytes)
        case .kind(let test): return test.holds(Self.name(entry.kind, of: Self.kinds))
        case .status(let test): return test.holds(Self.name(entry.statusCode, of: Self.statuses))
        case .spanType(let test): return test.holds(batch.spanType(of: span, mapped))
        case .duration(let test): return test.holds(Double(entry.end) - Double(entry.start))
        case .tokens(let test):
            return batch.tokens(of: span, mapped).map { test.holds(Double($0)) } ?? test.holdsForMissing
        case .root(let isRoot): return (entry.parentID == nil) == isRoot
        case .all(let conditions):
            for condition in conditions where !condition.matches(span, in: batch, mapped: mapped) { return false }
            return true
        case .any(let conditions):
            for condition in conditions where condition.matches(span, in: batch, mapped: mapped) { return true }
            return false
        case .not(let condition): return !condition.matches(span, in: batch, mapped: mapped)
        }
    }

    static let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
    static let statuses = ["unset", "ok", "error"]
    private static let serviceName = Array("service.name".utf8)

    private static func name(_ number: Int, of names: [String]) -> String {
        names.indices.contains(number) ? names[number] : "\(number)"
    }
}

extension Condition.Test {
    var holdsForMissing: Bool { tests.allSatisfy(\.holdsForMissing) }

    fileprivate func holds(_ number: Double) -> Bool { tests.allSatisfy { $0.holds(number) } }
    fileprivate func holds(_ text: String) -> Bool { tests.allSatisfy { $0.holds(text) } }
    fileprivate func holds(_ range: Range<Int>, in bytes: RawSpan) -> Bool {
        tests.allSatisfy { $0.holds(range, in: bytes) }
    }

    fileprivate func holds(_ key: [UInt8], in attributes: Range<Int>, of batch: borrowing SpanBatch) -> Bool {
        let bytes = batch.bytes.span.bytes
        guard let attribute = bytes.attribute(key, in: attributes, of: batch) else { return holdsForMissing }
        let value = AttributeValue(batch.attributes[attribute].value, in: bytes)
        return tests.allSatisfy { $0.holds(value, in: bytes) }
    }
}

extension RawSpan {
    /// The last attribute of that key among `range`, as a decoder would see it.
    package func attribute(_ key: [UInt8], in range: Range<Int>, of batch: borrowing SpanBatch) -> Int? {
        for index in range.reversed() where equals(key, batch.attributes[index].key) { return index }
        return nil
    }
}

extension SpanBatch {
    /// The type that `mlflow_map` decided or, where it did not run, the app set; empty for none.
    fileprivate func spanType(of span: Int, _ mapped: MappedSpan?) -> String {
        if let mapped { return mapped.type ?? "" }
        guard let attribute = attribute("mlflow.spanType", in: spans[span].attributes),
            case .string(let range) = value(of: attribute)
        else { return "" }
        return text(range)
    }

    /// The tokens that `mlflow_map` found or, where it did not run, those of OpenTelemetry's own attributes.
    fileprivate func tokens(of span: Int, _ mapped: MappedSpan?) -> Int64? {
        if let mapped { return mapped.tokens }
        let counts = [count("gen_ai.usage.input_tokens", of: span), count("gen_ai.usage.output_tokens", of: span)]
        let known = counts.compactMap { $0 }
        return known.isEmpty ? nil : known.reduce(0) { $0.addingReportingOverflow($1).partialValue }
    }

    private func count(_ key: StaticString, of span: Int) -> Int64? {
        guard let attribute = attribute(key, in: spans[span].attributes),
            case .int(let count) = value(of: attribute)
        else { return nil }
        return count
    }
}
