import Basics
import Conditions
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// What processors do to log records and metrics.
struct OtherSignalTests {
    private let logs = """
        {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
          "scopeLogs": [{"scope": {"name": "till"}, "logRecords": [
            {"traceId": "000000000000000000ffffffffffffff", "attributes": [{"key": "level", "value": {"stringValue": "low"}}]},
            {"traceId": "00000000000000000000000000000001", "attributes": [{"key": "level", "value": {"stringValue": "high"}}]},
            {"body": {"stringValue": "no trace"}}]}]}]}
        """
    private let metrics = """
        {"resourceMetrics": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
          "scopeMetrics": [{"metrics": [{"name": "sales", "gauge": {"dataPoints": [{"asInt": "1"}]},
            "metadata": [{"key": "level", "value": {"stringValue": "low"}}]}]}]}]}
        """

    private func work(_ json: String, _ signal: Signal) throws -> SpanWork {
        var deviations = DeviationCounts()
        let body = try OTLPJSON.decode(Array(json.utf8), signal: signal, deviations: &deviations)
        return SpanWork(
            batch: try Envelope(body, signal: signal),
            source: RequestSource(receiver: "otlp"),
            receivedAt: UnixTime(nanoseconds: 1)
        )
    }

    private func processor(_ type: String, _ settings: String) throws -> any SpanProcessor {
        let node = try JSONNode(parsing: Array(settings.utf8))
        var context = DecodeContext()
        let settings: (any ProcessorSettings)? =
            type == "sample"
            ? SampleSettings.shape.read(node, &context) : AttributesSettings.shape.read(node, &context)
        #expect(context.problems.map(\.message) == [])
        return try #require(try settings?.makeProcessor(named: type))
    }

    /// What leaves, as JSON.
    private func out(_ work: SpanWork) throws -> String {
        let payload = try #require(work.batch.encoded()).payload
        return String(decoding: try OTLPJSON.encode(payload, signal: work.batch.signal), as: UTF8.self)
    }

    private static let declined =
        #""severityNumber": 14, "body": {"stringValue": "payment declined"}, "attributes": [{"key": "n", "value": {"intValue": "3"}}]"#
    private static let list =
        #""severityText": "Warning", "body": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "7"}]}}"#

    @Test(
        arguments: [
            (declined, #"{"severity":"warn"}"#, true), (declined, #"{"severity":"error"}"#, false),
            (declined, #"{"severity":14}"#, true), (declined, #"{"severity":13}"#, false),
            (declined, #"{"severity":{"in":["warn","fatal"]}}"#, true),
            (declined, #"{"severity":{"over":"info"}}"#, true), (declined, #"{"severity":{"over":"warn"}}"#, false),
            (declined, #"{"severity":{"under":"error"}}"#, true), (declined, #"{"severity":{"under":"warn"}}"#, false),
            (declined, #"{"severity":{"over":13,"under":15}}"#, true),
            (declined, #"{"severity":{"exists":true}}"#, true),
            (declined, #"{"body":{"matches":"decl"}}"#, true), (declined, #"{"body":"payment"}"#, false),
            (declined, #"{"all":[{"attribute":"n","over":2},{"body":{"glob":"pay*"}}]}"#, true),
            (declined, #"{"metric":{"exists":false}}"#, true), (declined, #"{"metric":{"glob":"*"}}"#, false),
            (list, #"{"severity":"warn"}"#, true), (list, #"{"severity":"info"}"#, false), (list, #"{"body":7}"#, true),
            (#""severityText": "ERROR""#, #"{"severity":{"over":"warn"}}"#, true),
            (#""severityText": "odd""#, #"{"severity":{"exists":false}}"#, true),
            (#""severityText": "odd""#, #"{"body":{"exists":false}}"#, true),
        ]
    )
    func `a log record satisfies a condition or does not`(record: String, text: String, expected: Bool) throws {
        let request = #"{"resourceLogs": [{"scopeLogs": [{"logRecords": [{\#(record)}]}]}]}"#
        #expect(try satisfies(text, try work(request, .logs)) == expected)
    }

    @Test(
        arguments: [
            (#"{"metric":"sales"}"#, true), (#"{"metric":{"glob":"s*"}}"#, true),
            (#"{"metric":{"matches":"^db"}}"#, false),
            (#"{"body":"sales"}"#, false), (#"{"severity":{"exists":false}}"#, true),
        ]
    )
    func `a metric satisfies a condition or does not`(text: String, expected: Bool) throws {
        #expect(try satisfies(text, try work(metrics, .metrics)) == expected)
    }

    private func satisfies(_ text: String, _ work: SpanWork) throws -> Bool {
        var matcher: ConditionMatcher? = ConditionMatcher([try condition(text)])
        return work.satisfies(&matcher, 0)
    }

    @Test func `attributes of log records, scopes and resources are changed where the condition holds`() throws {
        let tidy = try processor(
            "attributes",
            #"""
            {"actions": [{"on": "log", "action": "upsert", "key": "level", "value": "hidden"},
                         {"on": "span", "action": "upsert", "key": "never", "value": 1},
                         {"on": "event", "action": "upsert", "key": "never", "value": 1},
                         {"on": "resource", "action": "insert", "key": "team", "value": "payments"}],
             "when": {"all": [{"attribute": "level", "equals": "low"}, {"scope": "till"}, {"service": "shop"},
                              {"not": {"status": "error"}}]}}
            """#
        )
        var work = try work(logs, .logs)
        tidy.process(&work)
        let text = try out(work)
        #expect(text.contains(#""level","value":{"stringValue":"hidden"}"#))
        #expect(text.contains(#""level","value":{"stringValue":"high"}"#) && !text.contains("low"))
        #expect(text.contains(#""team","value":{"stringValue":"payments"}"#) && !text.contains("never"))
    }

    @Test func `attributes of a metric are its metadata`() throws {
        let tidy = try processor(
            "attributes",
            #"{"actions": [{"on": "metric", "action": "delete", "key": "level"},{"on": "log", "action": "upsert", "key": "x", "value": 1}]}"#
        )
        var work = try work(metrics, .metrics)
        tidy.process(&work)
        let text = try out(work)
        #expect(!text.contains("level") && !text.contains(#""x""#) && text.contains(#""asInt":"1""#))
    }

    private static let kinds = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"]

    /// A metric of that kind with the data points whose attributes are given, each with a number of its own.
    private func metric(_ kind: String, _ points: [[String: String]]) -> String {
        let points = points.enumerated().map { number, attributes in
            let attributes = attributes.sorted { $0.key < $1.key }.map {
                #"{"key": "\#($0.key)", "value": {"stringValue": "\#($0.value)"}}"#
            }
            return #"{"timeUnixNano": "\#(number + 1)", "attributes": [\#(attributes.joined(separator: ","))]}"#
        }
        let metadata = #"[{"key": "kind", "value": {"stringValue": "\#(kind)"}}]"#
        return #"{"metadata": \#(metadata), "\#(kind)": {"dataPoints": [\#(points.joined(separator: ","))]}}"#
    }

    private func request(_ metrics: [String]) -> String {
        """
        {"resourceMetrics": [{"resource": {"attributes": [{"key": "team", "value": {"stringValue": "till"}}]},
          "scopeMetrics": [{"metrics": [\(metrics.joined(separator: ","))]}]}]}
        """
    }

    @Test(arguments: kinds)
    func `attributes of data points are changed by every action, in metrics of every kind`(kind: String) throws {
        let tidy = try processor(
            "attributes",
            #"""
            {"hash_key": "key", "actions": [
              {"on": "datapoint", "action": "insert", "key": "team", "from": "resource.team"},
              {"on": "datapoint", "action": "update", "key": "host", "value": "h"},
              {"on": "datapoint", "action": "rename", "key": "old", "to": "new"},
              {"on": "datapoint", "action": "delete", "key": "http.*"},
              {"on": "datapoint", "action": "hash", "key": "user"},
              {"on": "span", "action": "upsert", "key": "never", "value": 1}]}
            """#
        )
        let came: [[String: String]] = [
            ["a": "1"], ["host": "x", "http.method": "GET", "http.url": "/"], [:], ["old": "o", "user": "me"],
        ]
        let hash = HMAC.sha256(Array("me".utf8).span.bytes, 0..<2, key: Array("key".utf8))
        let left = [
            ["team": "till", "a": "1"], ["team": "till", "host": "h"], ["team": "till"],
            ["team": "till", "new": "o", "user": hash],
        ]
        var work = try work(request([metric(kind, came)]), .metrics)
        tidy.process(&work)
        let document = try JSONNode(parsing: Array(try out(work).utf8))
        let scope = document["resourceMetrics"]?.elements?.first?["scopeMetrics"]?.elements?.first
        let points = scope?["metrics"]?.elements?.first?[kind]?["dataPoints"]?.elements ?? []
        let attributes = points.map { point in
            (point["attributes"]?.elements ?? []).reduce(into: [String: String]()) { all, attribute in
                all[attribute["key"]?.string ?? ""] = attribute["value"]?["stringValue"]?.string
            }
        }
        #expect(attributes == left)
        #expect(points.compactMap { $0["timeUnixNano"]?.string } == ["1", "2", "3", "4"])
    }

    @Test func `data points are changed in metrics for which the condition holds, and only where they change`() throws {
        let actions = #"""
            {"actions": [{"on": "datapoint", "action": "delete", "key": "secret"}], "when": {"attribute": "kind", "equals": "sum"}}
            """#
        let points = [["secret": "s", "kept": "k"], ["kept": "k"]]
        let metrics = Self.kinds.map { metric($0, points) }
        var work = try work(request(metrics), .metrics)
        let came = work.batch.bytes
        try processor("attributes", actions).process(&work)
        var expected = metrics
        expected[1] = metric("sum", [["kept": "k"], ["kept": "k"]])
        #expect(try out(work) == out(try self.work(request(expected), .metrics)))
        var other = try self.work(request(metrics), .metrics)
        try processor("attributes", actions.replacing("\"sum\"", with: "\"none\"")).process(&other)
        try processor("attributes", actions.replacing("secret", with: "absent")).process(&other)
        #expect(!other.batch.isMarked && other.batch.encoded()?.payload == came)
    }

    @Test(arguments: [
        (#"{"ratio": 0.5}"#, [true, false, true]), (#"{"ratio": 0}"#, [false, false, true]),
        (#"{"ratio": 0, "keep": {"attribute": "level", "equals": "high"}}"#, [false, true, true]),
    ])
    func `log records are kept with their trace, and without one`(settings: String, kept: [Bool]) throws {
        var work = try work(logs, .logs)
        try processor("sample", settings).process(&work)
        #expect((0..<3).map { work.batch.removal(of: $0) == nil } == kept)
    }

    private static let worksOn: [(actions: String, signals: Set<Signal>)] = [
        (#"[{"on": "resource", "action": "delete", "key": "a"}]"#, Set(Signal.allCases)),
        (#"[{"action": "delete", "key": "a"}]"#, [.traces]),
        (
            #"[{"on": "log", "action": "delete", "key": "a"}, {"on": "metric", "action": "delete", "key": "a"}]"#,
            [.logs, .metrics]
        ),
    ]

    @Test(arguments: worksOn)
    func `a processor works on the signals that its actions name`(actions: String, signals: Set<Signal>) throws {
        let node = try JSONNode(parsing: Array(#"{"actions": \#(actions)}"#.utf8))
        var context = DecodeContext()
        #expect(try #require(AttributesSettings.shape.read(node, &context)).signals == signals)
    }
}
