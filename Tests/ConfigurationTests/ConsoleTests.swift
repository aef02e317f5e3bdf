import Admin
import Basics
import Logging
import OTLP
import Settings
import TestKit
import Testing

@testable import Configuration
@testable import Pipeline

@Suite struct `What the console is told` {
    private func file() throws -> PipelineFile {
        let text = """
            {"receivers": {"in": {"type": "otlp_http"}},
             "processors": {"private": {"type": "redact"}, "map": {"type": "mlflow_map"},
                            "noise": {"type": "filter", "drop": {"name": "noise"}}},
             "exporters": {"out": {"type": "discard"}},
             "pipelines": {"p": {"receivers": ["in"], "processors": ["private", "map", "noise"], "exporters": ["out"]}},
             "journal": {"storage": "memory"}}
            """
        return try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
    }

    @Test func `a watched request has what each processor did, and nothing of what was redacted`() async throws {
        let tap = RequestTap()
        let file = try file()
        let tail = try ConsoleTail(tap, TailWish()) { file }
        defer { tail.leave() }
        let body = #"""
            {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "<shop>"}}]},
              "scopeSpans": [{"spans": [
                {"traceId": "6e0c63257de34c920000000000000001", "spanId": "00f067aa0ba902b7", "name": "chat",
                 "startTimeUnixNano": "1000", "endTimeUnixNano": "3000", "status": {"code": 2},
                 "attributes": [{"key": "note", "value": {"stringValue": "ada@example.com"}},
                                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]},
                {"traceId": "6e0c63257de34c920000000000000001", "spanId": "00f067aa0ba902b8", "name": "noise",
                 "parentSpanId": "00f067aa0ba902b7", "startTimeUnixNano": "1000", "endTimeUnixNano": "2000"}]}]}]}
            """#
        tap.offer(
            RequestTap.Request(
                batch: try Envelope(json: Array(body.utf8)),
                source: RequestSource(receiver: "in"),
                time: UnixTime(nanoseconds: 0),
                pipelines: ["p"]
            )
        )
        var taken: [UInt8]?
        while taken == nil {
            taken = tail.take()
            await Task.yield()
        }
        let text = String(decoding: try #require(taken), as: UTF8.self)
        #expect(!text.contains("ada@example.com") && text.contains("[redacted:email]"))
        let event = try JSONNode(parsing: Array(text.utf8))
        #expect(event["left_out"].map { JSON($0) } == .integer(0))
        let spans = event["requests"]?.elements?.first?["pipelines"]?.elements?.first?["spans"]?.elements ?? []
        #expect(spans.map { $0["name"]?.string } == ["chat", "noise"])
        #expect(spans.first?["service"]?.string == "<shop>" && spans.first?["end_ns"]?.string == "3000")
        #expect(spans.last?["dropped_by"]?.string == "noise" && spans.last?["parent_id"]?.string == "00f067aa0ba902b7")
        #expect(spans.first?["attributes"]?["mlflow.spanType"]?.string == "CHAT_MODEL")
        #expect(spans.first?["before"]?["mlflow.spanType"] == nil)
    }

    @Test(arguments: [
        "", "0", "6e0c63257de34c92000000000000000g", String(repeating: "0", count: 32),
        "+e0c63257de34c920000000000000001",
    ])
    func `what is no trace id is none`(text: String) {
        #expect(TraceID(hexadecimal: text) == nil)
    }

    @Test func `long texts are cut and say how long they are`() {
        let cut = { (text: String) in (["a": [.text(text), .integer(1)]] as JSON).shortened(to: 3).lineText }
        #expect(cut("abcdef") == #"{"a": ["abc… (6 bytes)", 1]}"#)
        #expect(cut("abc") == #"{"a": ["abc", 1]}"#)
    }
}
