import Basics
import Foundation
import Settings
import Testing

@testable import Configuration

/// Tests of pipeline files: when they pass, and what they say when they do not.
@Suite struct PipelineTestTests {
    /// Two chats of one name, of which the second is sampled out, and a span of no convention.
    private static let input = #"""
        {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
         "scopeSpans": [{"spans": [
          {"traceId": "00000000000000000080000000000001", "spanId": "000000000000000A", "name": "chat",
           "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                          {"key": "n", "value": {"intValue": "1"}},
                          {"key": "big", "value": {"intValue": "9007199254740993"}},
                          {"key": "list", "value": {"arrayValue": {"values": [{"doubleValue": 1.0}, {}]}}},
                          {"key": "text", "value": {"stringValue": "{\"a/b\": [1, {\"c\": \"x\"}]}"}}],
           "events": [{"name": "first"}, {"name": "second"}]},
          {"traceId": "00000000000000000000000000000002", "spanId": "000000000000000B", "name": "chat",
           "attributes": [{"key": "n", "value": {"intValue": "2"}}]},
          {"traceId": "00000000000000000080000000000003", "spanId": "000000000000000C", "name": "db"},
          {"traceId": "", "spanId": "000000000000000D", "name": "broken"}]}]}]}
        """#

    private func failures(
        _ expect: String,
        headers: String = "{}",
        identity: String? = nil,
        from: String = #"["header", "resource.service.name"]"#
    ) throws -> [String] {
        let sender = identity.map { #""identity": "\#($0)","# } ?? ""
        let auth = #"""
            {"bearer": [{"name": "ann", "token": "a", "experiments": ["shop", "7"]}, {"name": "bob", "token": "b"}]}
            """#
        let text = file([
            "receivers": #"{"in": {"type": "otlp_http", "auth": \#(auth)}}"#,
            "processors": #"""
            {"map": {"type": "mlflow_map"}, "route": {"type": "mlflow_experiment", "from": \#(from)},
             "share": {"type": "sample", "ratio": 0.5}}
            """#,
            "pipelines":
                #"{"traces": {"receivers": ["in"], "processors": ["map", "route", "share"], "exporters": ["out"]}}"#,
            "tests":
                #"[{"name": "t", "headers": \#(headers), \#(sender) "input": \#(Self.input), "expect": \#(expect)}]"#,
        ])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        return try file.run(file.tests[0], besides: "f.json").failures
    }

    @Test(arguments: [
        #"{"name": "chat", "attributes": {"mlflow.spanType": "CHAT_MODEL", "n": 1}}"#,
        #"{"name": "chat", "attributes": {"n": 1.0, "big": 9007199254740993, "list": [1, null]}}"#,
        #"{"name": "chat", "attributes": {"text": {"a/b": [1, {"c": "x"}]}}}"#,
        #"{"name": "chat", "attributes": {"text": "{\"a/b\": [1, {\"c\": \"x\"}]}"}}"#,
        #"{"name": "chat", "dropped": "sampled_out", "attributes": {"n": 2}}"#,
        #"{"name": "chat", "dropped": true}"#,
        #"{"name": "chat", "events": ["second"], "absent": ["mlflow.spanInputs"]}"#,
        #"{"span_id": "000000000000000b", "dropped": true}"#,
        #"{"span_id": "000000000000000C", "name": "db", "experiment": "shop"}"#,
        #"{"name": "broken", "dropped": "invalid"}"#,
    ])
    func `what is as expected passes`(span: String) throws {
        #expect(try failures(#"{"spans": [\#(span)], "kept": 2}"#) == [])
    }

    @Test(arguments: [
        (
            #"{"name": "db", "attributes": {"n": 1}}"#, [#"span "db""#, "  n: expected 1, found nothing"]
        ),
        (
            #"{"span_id": "000000000000000a", "attributes": {"text": {"a/b": [1, {"c": "y"}, 3]}}}"#,
            [
                "span id 000000000000000a", #"  text /a~1b/1/c: expected "y", found "x""#,
                "  text /a~1b/2: expected 3, found nothing",
            ]
        ),
        (
            #"{"span_id": "000000000000000a", "attributes": {"big": 9007199254740992, "list": [1, 2]}}"#,
            [
                "span id 000000000000000a", "  big: expected 9007199254740992, found 9007199254740993",
                "  list /1: expected 2, found null",
            ]
        ),
        (
            #"{"name": "db", "events": ["boom"], "experiment": "Support", "dropped": true, "absent": ["n"]}"#,
            [
                #"span "db""#, #"  events: expected "boom", found none"#,
                #"  experiment: expected "Support", found "shop""#, "  dropped: expected true, found false",
            ]
        ),
        (
            #"{"name": "broken"}"#,
            [
                #"span "broken""#,
                #"  dropped: expected false, found "invalid" by receiver: trace_id is not 16 bytes long"#,
            ]
        ),
        (
            #"{"name": "chat", "attributes": {"n": 2}}"#,
            [
                #"span "chat" (the nearest of 2: span id 000000000000000a)"#, "  n: expected 2, found 1",
            ]
        ),
        (
            #"{"name": "chad"}"#,
            [#"span "chad": not found; the request has "chat", "chat", "db", "broken""#]
        ),
    ])
    func `what is not as expected is named`(span: String, lines: [String]) throws {
        #expect(try failures(#"{"spans": [\#(span)]}"#) == lines)
    }

    @Test func `the number of spans that stay is compared`() throws {
        #expect(try failures(#"{"kept": 3}"#) == ["kept: expected 3, found 2"])
    }

    @Test func `headers are those of the request`() throws {
        let expect = #"{"spans": [{"name": "db", "experiment": "7"}]}"#
        #expect(try failures(expect, headers: #"{"X-MLflow-Experiment-ID": "7"}"#) == [])
    }

    @Test func `a member sends the request, and may write to its own experiments alone`() throws {
        let auth = #"["auth"]"#
        #expect(try failures(#"{"spans": [{"name": "db", "experiment": "bob"}]}"#, identity: "bob", from: auth) == [])
        #expect(try failures(#"{"spans": [{"name": "db", "experiment": "shop"}]}"#, identity: "ann") == [])
        let refused = #"experiment "ann" is not for "ann"; allowed: shop, 7"#
        #expect(try failures(#"{"kept": 0, "refused": true}"#, identity: "ann", from: auth) == [])
        #expect(
            try failures(#"{"spans": [{"name": "db"}]}"#, identity: "ann", from: auth)
                == ["refused: expected false, found 403: \(refused)"]
        )
        #expect(try failures(#"{"refused": true}"#, identity: "bob") == ["refused: expected true, found false"])
        let unknown = #""eve" is no member that sends to pipeline traces; allowed: ann, bob"#
        #expect(try failures(#"{"kept": 2}"#, identity: "eve") == [unknown])
    }

    @Test func `many differences of one attribute are counted`() throws {
        let many = (0..<20).map { "\"k\($0)\": \($0)" }.joined(separator: ", ")
        let lines = try failures(#"{"spans": [{"span_id": "000000000000000a", "attributes": {"text": {\#(many)}}}]}"#)
        #expect(lines.count == 10)
        #expect(lines.last == "  text: 13 more differences")
    }

    @Test func `a file of a request that is not there fails its test`() throws {
        let text = file(["tests": #"[{"name": "t", "input_file": "none.pb", "expect": {"kept": 1}}]"#])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        let result = try file.run(file.tests[0], besides: "/nowhere/f.json")
        #expect(result.text == "FAILED t\n  /nowhere/none.pb: cannot be read: No such file or directory")
    }

    @Test func `the tests of the examples pass`() throws {
        for name in ExampleTests.names {
            let path = repository.appending(path: "pipelines/\(name).json").path
            let file = try PipelineFile.load(path, environment: .process)
            for test in file.tests { #expect(try file.run(test, besides: path).failures == [], "\(name)") }
        }
    }

    /// A child, its root some time later in another service, and in between what the model was asked, as a log record.
    @Test(arguments: [("5s", "shop"), ("20m", "worker")])
    func `a trace of several requests goes where its root goes, if that comes in time`(
        after: String,
        experiment: String
    ) throws {
        let span = { (service: String, fields: String) in
            #"""
            {"resourceSpans": [{"resource": {"attributes":
               [{"key": "service.name", "value": {"stringValue": "\#(service)"}}]},
             "scopeSpans": [{"spans": [{"traceId": "00000000000000000000000000000001", \#(fields)}]}]}]}
            """#
        }
        let child = span("worker", #""spanId": "000000000000000B", "parentSpanId": "000000000000000A", "name": "chat""#)
        let root = span("shop", #""spanId": "000000000000000A", "name": "GET /""#)
        let log = #"""
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [
             {"traceId": "00000000000000000000000000000001", "spanId": "000000000000000B",
              "attributes": [{"key": "event.name", "value": {"stringValue": "gen_ai.user.message"}}],
              "body": {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "Is it sunny?"}}]}}}]}]}]}
            """#
        let expect =
            #"{"spans": [{"name": "chat", "experiment": "\#(experiment)", "events": ["gen_ai.user.message"]}]}"#
        let text = file([
            "processors": #"""
            {"map": {"type": "mlflow_map"}, "whole": {"type": "assemble"}, "route": {"type": "mlflow_experiment"}}
            """#,
            "pipelines": #"""
            {"traces": {"receivers": ["in"], "processors": ["map", "whole", "route"], "exporters": ["out"],
                        "signals": ["traces", "logs"]}}
            """#,
            "tests": #"""
            [{"name": "t", "expect": \#(expect), "requests": [
              {"input": \#(child)}, {"signal": "logs", "input": \#(log)}, {"after": "\#(after)", "input": \#(root)}]}]
            """#,
        ])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        #expect(try file.run(file.tests[0], besides: "f.json").failures == [])
    }
}
