import Basics
import Foundation
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

struct TruncateTests {
    private func truncate(_ settings: String, _ work: inout SpanWork) throws {
        var context = DecodeContext()
        let read = TruncateSettings.shape.read(try JSONNode(parsing: Array(settings.utf8)), &context)
        #expect(context.problems.map(\.message) == [])
        let processor = try #require(read?.makeProcessor(named: "short"))
        processor.process(&work)
    }

    /// The span as it leaves.
    private func span(_ work: SpanWork) throws -> ReadSpan {
        let payload = try #require(work.batch.encoded()).payload
        return try #require(try readSpans(payload).first)
    }

    /// A text of that many bytes after `truncate` with `max_value` 1024 B.
    private func shortened(_ text: String, to max: Int = 1024) throws -> String {
        var work = try work(TestSpan(id: 1, ["text": .string(text)]))
        try truncate(#"{"max_value": "\#(max)B"}"#, &work)
        let read = try span(work)
        let json = Data(try #require(read["text"]).utf8)
        return try #require(try JSONSerialization.jsonObject(with: json, options: .fragmentsAllowed) as? String)
    }

    @Test func `what is short enough stays, byte for byte`() throws {
        var work = try work(TestSpan(id: 1, ["text": .string(String(repeating: "a", count: 1024))]))
        let before = work.batch.bytes
        try truncate(#"{"max_value": "1024B", "max_attributes": 1, "max_events": 1}"#, &work)
        #expect(work.batch.encoded()?.payload == before)
    }

    @Test(arguments: ["a", "é", "漢", "😀"])
    func `a text is cut between characters and says by how much`(letter: String) throws {
        for padding in 0..<4 {
            let text = String(repeating: "x", count: padding) + String(repeating: letter, count: 2000)
            let short = try shortened(text)
            let (head, mark) = try #require(
                short.range(of: "… [").map { (short[..<$0.lowerBound], short[$0.upperBound...]) }
            )
            #expect(text.hasPrefix(head) && short.utf8.count <= 1024 && short.utf8.count > 980)
            #expect(mark == "\(text.utf8.count - head.utf8.count) bytes cut]")
        }
    }

    @Test(arguments: [#"\n"#, #"\u00e9"#, #"\ud83d\ude00"#, #"\\"#, "é", "x"])
    func `JSON stays JSON, its long texts are cut and the short ones whole`(letter: String) throws {
        let long = String(repeating: letter, count: 3000)
        let text =
            #"[{"role": "system", "content": "be brief"}, {"role": "user", "content": "\#(long)"}, {"n": [1, 2.5e3, null, true]}]"#
        let short = try shortened(text)
        #expect(short.utf8.count <= 1024 && short.utf8.count > 900)
        let read = try #require(try JSONSerialization.jsonObject(with: Data(short.utf8)) as? [[String: Any]])
        #expect(read.count == 3 && read[0]["content"] as? String == "be brief" && read[1]["role"] as? String == "user")
        #expect((read[1]["content"] as? String)?.hasSuffix(" bytes cut]") == true)
        #expect((read[2]["n"] as? [Any])?.count == 4)
    }

    @Test func `half a pair of surrogates is one character`() throws {
        for padding in 0..<8 {
            let text =
                #"["\ud83d"# + String(repeating: "a", count: padding) + String(repeating: "é", count: 1000) + #""]"#
            let short = try shortened(text)
            #expect(short.utf8.count <= 1024 && short.contains("é…") && short.hasSuffix(#" bytes cut]"]"#))
        }
    }

    @Test(arguments: [("", ""), (String(repeating: "[", count: 255), String(repeating: "]", count: 255))])
    func `a text that is one string of JSON stays one, and lists in lists as deep as they are read`(
        before: String,
        after: String
    ) throws {
        let short = try shortened(before + "\"" + String(repeating: #"a\n"#, count: 1000) + "\"" + after)
        #expect(short.hasPrefix(before + #""a\na"#) && short.hasSuffix(#" bytes cut]""# + after))
        #expect(short.utf8.count <= 1024)
    }

    @Test func `a list of very many small values is cut in time`() throws {
        let short = try shortened("[" + String(repeating: "1,", count: 100_000) + "2]", to: 65_536)
        #expect(short.hasPrefix(#"[1,"… ["#) && short.hasSuffix(",1,2]") && short.utf8.count > 65_000)
    }

    @Test func `a count of what was dropped before may be any number`() throws {
        // A span with one attribute too many, and 2^64 - 1 in `dropped_attributes_count`.
        func message(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }
        let attribute = message(0x4A, [0x0A, 1, 0x61])
        var span = message(0x0A, [UInt8](repeating: 1, count: 16))
        span += message(0x12, [UInt8](repeating: 1, count: 8))
        span += attribute
        span += attribute
        span += [0x50]
        span += [UInt8](repeating: 0xFF, count: 9)
        span += [0x01]
        let body = message(0x0A, message(0x12, message(0x12, span)))
        var work = SpanWork(
            batch: try SpanBatch(body),
            source: RequestSource(receiver: "otlp"),
            receivedAt: UnixTime(nanoseconds: 1)
        )
        try truncate(#"{"max_attributes": 1}"#, &work)
        let payload = try #require(work.batch.encoded()).payload
        let json = String(decoding: try OTLPJSON.encode(payload, signal: .traces), as: UTF8.self)
        #expect(json.contains(#""droppedAttributesCount":4294967295"#), "\(json)")
    }

    @Test func `of long lists the first and the last elements stay`() throws {
        let turns = (0..<500).map { #"{"role":"user","content":"turn \#($0)"}"# }
        let short = try shortened("[\(turns.joined(separator: ","))]")
        let read = try #require(try JSONSerialization.jsonObject(with: Data(short.utf8)) as? [Any])
        #expect((read.first as? [String: String])?["content"] == "turn 0")
        #expect((read.last as? [String: String])?["content"] == "turn 499" && read.count > 15)
        // One in their place says how many are missing.
        #expect(read[1] as? String == "… [\(500 - (read.count - 1)) elements cut]")
        #expect(short.utf8.count <= 1024)
    }

    @Test func `an object keeps its small members and a part of the largest`() throws {
        let rows = (0..<400).map { "[\($0),\($0)]" }.joined(separator: ",")
        let short = try shortened(#"{"rows":[\#(rows)],"total":400,"note":"all"}"#)
        let read = try #require(try JSONSerialization.jsonObject(with: Data(short.utf8)) as? [String: Any])
        #expect(read["total"] as? Int == 400 && read["note"] as? String == "all")
        #expect((read["rows"] as? [Any])?.last as? [Int] == [399, 399] && short.utf8.count <= 1024)
    }

    @Test func `members that do not fit are counted, and one that remains is left`() throws {
        let digits = String(repeating: "1", count: 2000)
        #expect(try shortened(#"{"n":\#(digits)}"#) == #"{"…":"1 member cut"}"#)
        #expect(try shortened(#"{"n":\#(digits),"m":\#(digits),"a":1}"#) == #"{"a":1,"…":"2 members cut"}"#)
        #expect(try shortened("[\(digits)]") == #"["… [1 element cut]"]"#)
    }

    @Test(arguments: [300, 700, 1024]) func `JSON in a text of JSON stays JSON`(max: Int) throws {
        func quoted(_ text: String) -> String {
            var writer = JSONWriter()
            writer.string(text)
            return writer.text
        }
        let query = String(repeating: #"say "ü" "#, count: 200)
        let deepest = #"{"q":\#(quoted(query)),"n":7}"#
        let arguments = #"{"deep":\#(quoted(deepest)),"k":true}"#
        let short = try shortened(
            #"[{"role":"tool","content":"\#(String(repeating: "x", count: 500))","arguments":\#(quoted(arguments))}]"#,
            to: max
        )
        #expect(short.utf8.count <= max)
        let message = try #require(try JSONNode(parsing: Array(short.utf8)).elements?.first)
        let inner = try JSONNode(parsing: Array(try #require(message["arguments"]?.string).utf8))
        guard max > 300 else { return }
        let last = try JSONNode(parsing: Array(try #require(inner["deep"]?.string).utf8))
        #expect(
            last["q"]?.string?.hasPrefix(#"say "ü" "#) == true && last["q"]?.string?.hasSuffix(" bytes cut]") == true
        )
        #expect(last["n"]?.double == 7 && inner["k"]?.bool == true)
    }

    @Test(arguments: 1...40)
    func `random JSON stays JSON within its limit`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        func value(_ depth: Int) -> String {
            switch Int.random(in: 0..<(depth > 4 ? 3 : 6), using: &random) {
            case 0: return "\(Int.random(in: -9...99_999, using: &random))"
            case 1, 2:
                let letters = ["a", "ß", #"\""#, #"\u2028"#, "😀", " ", #"\ud83d\ude00"#]
                return "\""
                    + (0..<Int.random(in: 0..<200, using: &random)).map { _ in letters.randomElement(using: &random)! }
                    .joined() + "\""
            case 3, 4:
                return "["
                    + (0..<Int.random(in: 0..<12, using: &random)).map { _ in value(depth + 1) }.joined(separator: ", ")
                    + "]"
            default:
                let members = (0..<Int.random(in: 0..<8, using: &random)).map { "\"k\($0)\": \(value(depth + 1))" }
                return "{" + members.joined(separator: " ,") + "}"
            }
        }
        let text = "[" + (0..<20).map { _ in value(0) }.joined(separator: ",") + "]"
        let max = [256, 300, 1000, 5000].randomElement(using: &random)!
        let short = try shortened(text, to: max)
        #expect(short.utf8.count <= Swift.max(max, text.utf8.count <= max ? text.utf8.count : 0))
        #expect((try? JSONSerialization.jsonObject(with: Data(short.utf8))) != nil, "\(short)")
    }

    @Test func `attributes and events over the limit are dropped and counted, exceptions last`() throws {
        var span = TestSpan(id: 1, ["a": 1, "b": 2, "c": 3])
        span.events = [("one", []), ("two", []), ("exception", []), ("three", [])]
        var work = try work(span)
        try truncate(#"{"max_attributes": 2, "max_events": 2}"#, &work)
        let read = try self.span(work)
        #expect(read.keys == ["a", "b"] && read.events.map(\.name) == ["one", "exception"])
        let payload = try #require(work.batch.encoded()).payload
        let json = String(decoding: try OTLPJSON.encode(payload, signal: .traces), as: UTF8.self)
        #expect(json.contains(#""droppedAttributesCount":1"#) && json.contains(#""droppedEventsCount":2"#))
    }

    @Test func `what redact is to find is not cut before`() throws {
        #expect(ProcessorTurn.redaction < .truncation && ProcessorTurn.truncation < .listed)
        #expect(RedactSettings().turn == .redaction && TruncateSettings().turn == .truncation)
    }
}
