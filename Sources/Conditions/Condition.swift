import Basics
import OTLP

/// What a span, a log record or a metric must be like: the one form used by filters, sampling, rules and routes.
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
    /// The number of a log record's severity, 1 to 24.
    case severity(Test)
    /// The body of a log record.
    case body(Test)
    /// The name of a metric.
    case metric(Test)
    case all([Condition])
    case any([Condition])
    case not(Condition)

    /// What is asked of a value; all of it must hold.
    package struct Test: Sendable {
        let tests: [ValueTest]
    }

    /// The span types of which one is all that it asks for; nil where it asks for anything else.
    package var spanTypes: [String]? {
        guard case .spanType(let test) = self, test.tests.count == 1, let texts = test.tests[0].texts,
            texts.allSatisfy({ !$0.isEmpty })
        else { return nil }
        return texts
    }

    static let kinds = ["unspecified", "internal", "server", "client", "producer", "consumer"]
    static let statuses = ["unset", "ok", "error"]
    /// The levels of a log record's severity, of four numbers each from 1 on.
    static let severities = ["trace", "debug", "info", "warn", "error", "fatal"]
    /// What `severity_number` may be.
    static let severityNumbers = 1...24
}

extension Condition.Test {
    /// Whether it holds for a value that is not there.
    package var holdsForMissing: Bool { tests.allSatisfy(\.holdsForMissing) }

    /// Whether a value passes; nil for one that is not there.
    func holds(_ value: AttributeValue?, in bytes: RawSpan, _ steps: inout Int) -> Bool {
        guard let value else { return holdsForMissing }
        for test in tests where !test.holds(value, in: bytes, &steps) { return false }
        return true
    }

    /// Whether a text passes.
    func holds(_ text: String, _ steps: inout Int) -> Bool {
        let letters = text.utf8Span.span.bytes
        return holds(.string(0..<letters.byteCount), in: letters, &steps)
    }

    /// Whether a number passes.
    func holds(_ number: Double) -> Bool { tests.allSatisfy { $0.holds(number) } }
}
