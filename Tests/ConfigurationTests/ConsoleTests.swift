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

    /// A request as it comes: a failed chat with an address in it, and noise.
    private func request() throws -> RequestTap.Request {
        let body = #"""
            {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "<shop>"}}]},
              "scopeSpans": [{"spans": [
                {"traceId": "6e0c63257de34c920000000000000001", "spanId": "00f067aa0ba902b7", "name": "chat ada@example.com",
                 "startTimeUnixNano": "1000", "endTimeUnixNano": "3000", "status": {"code": 2},
                 "attributes": [{"key": "note", "value": {"stringValue": "ada@example.com"}},
                                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]},
                {"traceId": "6e0c63257de34c920000000000000001", "spanId": "00f067aa0ba902b8", "name": "noise",
                 "parentSpanId": "00f067aa0ba902b7", "startTimeUnixNano": "1000", "endTimeUnixNano": "2000"}]}]}]}
            """#
        return RequestTap.Request(
            batch: try Envelope(json: Array(body.utf8)),
            source: RequestSource(receiver: "in"),
            time: UnixTime(nanoseconds: 0),
            pipelines: ["p"]
        )
    }

    private func next(_ tail: ConsoleTail) async -> [UInt8] {
        while true {
            if let taken = tail.take() { return taken }
            await Task.yield()
        }
    }

    @Test func `a watched request has what each processor did, and nothing of what was redacted`() async throws {
        let tap = RequestTap()
        let file = try file()
        let tail = try ConsoleTail(tap, TailWish()) { file }
        defer { tail.leave() }
        tap.offer(try request())
        let text = String(decoding: await next(tail), as: UTF8.self)
        #expect(!text.contains("ada@example.com") && text.contains("[redacted:email]"))
        let event = try JSONNode(parsing: Array(text.utf8))
        #expect(event["left_out"].map { JSON($0) } == .integer(0))
        let spans = event["requests"]?.elements?.first?["pipelines"]?.elements?.first?["spans"]?.elements ?? []
        #expect(spans.map { $0["name"]?.string } == ["chat [redacted:email]", "noise"])
        #expect(spans.first?["service"]?.string == "<shop>" && spans.first?["end_ns"]?.string == "3000")
        #expect(spans.last?["dropped_by"]?.string == "noise" && spans.last?["parent_id"]?.string == "00f067aa0ba902b7")
        #expect(spans.first?["attributes"]?["mlflow.spanType"]?.string == "CHAT_MODEL")
        #expect(spans.first?["before"]?["mlflow.spanType"] == nil)
    }

    @Test func `rows say what becomes of spans, and the rest is told when somebody asks for it`() async throws {
        let tap = RequestTap()
        let file = try file()
        let tail = try ConsoleTail(tap, TailWish(isBrief: true)) { file }
        defer { tail.leave() }
        tap.offer(try request())
        let row = await next(tail)
        let event = try JSONNode(parsing: row)
        #expect(event["tail"]?.string == tail.name)
        let request = try #require(event["requests"]?.elements?.first)
        let spans = request["pipelines"]?.elements?.first?["spans"]?.elements ?? []
        #expect(spans.map { $0["name"]?.string } == ["chat [redacted:email]", "noise"])
        #expect(spans.map { $0["dropped_by"]?.string } == [nil, "noise"])
        #expect(spans.allSatisfy { $0["attributes"] == nil && $0["processors"] == nil && $0["before"] == nil })
        guard case .done(let whole) = await tail.answer(request["number"]?.integer ?? -1) else {
            Issue.record("not kept")
            return
        }
        let text = String(decoding: whole, as: UTF8.self)
        #expect(text.contains("CHAT_MODEL") && text.contains("[redacted:email]") && !text.contains("ada@example.com"))
        guard case .unknown = await tail.answer(1) else {
            Issue.record("a request that never came is told of")
            return
        }
    }

    @Test func `of a tail the newest 200 requests are kept, and of large ones 8 MiB`() throws {
        var kept = KeptRequests()
        let request = try request()
        let numbers = (0..<205).map { _ in kept.add(request) }
        #expect(numbers == Array(0..<205) && kept[4] == nil && kept[5] != nil && kept[204] != nil && kept[205] == nil)
        let body = Array(repeating: tracesRequest([TestSpan()]), count: 9000).flatMap(\.self)
        let large = RequestTap.Request(
            batch: try Envelope(body, signal: .traces),
            source: RequestSource(receiver: "in"),
            time: UnixTime(nanoseconds: 0),
            pipelines: []
        )
        let fit = (8 << 20) / large.batch.bytes.count
        for _ in 0..<fit + 1 { _ = kept.add(large) }
        #expect(kept[204] == nil && kept[205] == nil && kept[206] != nil)
    }

    @Test func `a redaction says which detectors work, and a mapping which conventions`() throws {
        let settings = try file().processors.map(\.settings.inEffect)
        let detectors = try #require(settings[0]["detectors"])
        #expect(detectors.contains("email") && !detectors.contains("phone"))
        #expect(settings[1]["conventions"]?.contains("otel_genai") == true && settings[2].isEmpty)
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
