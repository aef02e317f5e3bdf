import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

/// What saves a second look finds the same as looking.
struct RedactKnownTests {
    private static let settings = [
        "{}", #"{"keys": ["hid*"], "detectors": {"ip": true, "phone": true}}"#,
        #"{"patterns": [{"name": "o", "match": "order-[0-9]+$"}]}"#,
    ]
    private static let keys = [
        "note", "content", "hidden", "password", "api key", "x-api-key", "nhs_number", "hid", "Authorization",
        "ada@b.example",
        "a_key_that_is_longer_than_what_is_kept_of_any_text_or_attribute_in_memory_so_it_is_never_known",
        "**password**", "tags",
    ]
    private static let texts =
        [
            "", "ok", "stop", "gpt-4o-2026-05-13", "aB3dE6gH9jK2mN5p", "943 476 5919", "order-17", "10.0.0.1",
            "password: aB3dE6gH9jK2mN5p", "iVBORw0KGgo" + FakeSecrets.letters(80), "UklGR" + FakeSecrets.letters(80),
            "/9j/" + FakeSecrets.letters(80), "R0lGOD" + FakeSecrets.letters(80), "+49 170 1234567", "fe80::1", "1:2",
            String(repeating: "word ", count: 40),
        ] + FakeSecrets.all.map(\.secret) + FakeSecrets.inContext.map(\.text) + FakeSecrets.nearMisses

    private struct Draw {
        var generator: SeededGenerator

        mutating func one(_ list: [String]) -> String { list.randomElement(using: &generator) ?? "" }

        mutating func value(_ depth: Int = 0) -> TestValue {
            switch Int.random(in: 0..<(depth < 3 ? 12 : 9), using: &generator) {
            case 0: .int(Int64.random(in: 0...300, using: &generator))
            case 1: .int(4_111_111_111_111_111)
            case 2: .double(0.5)
            case 9, 10: .array((0..<Int.random(in: 0...3, using: &generator)).map { _ in value(depth + 1) })
            case 11: .members((0..<2).map { _ in (one(RedactKnownTests.keys), value(depth + 1)) })
            default: .string(one(RedactKnownTests.texts))
            }
        }

        /// The value as JSON; texts that would need escapes become words.
        mutating func json(_ depth: Int = 0) -> String {
            func plain(_ text: String) -> String {
                "\"" + text.filter { $0 != "\"" && $0 != "\\" && $0 >= " " } + "\""
            }
            switch value(3) {
            case .int(let number): return Bool.random(using: &generator) ? "\(number)" : "-\(number)"
            case .double(let number): return "\(number)"
            case .string(let text) where depth > 2 || Bool.random(using: &generator): return plain(text)
            case .string(let text):
                let rest = (0..<Int.random(in: 0...3, using: &generator)).map { _ in json(depth + 1) }
                if Bool.random(using: &generator) { return "[" + ([plain(text)] + rest).joined(separator: ", ") + "]" }
                let members = ([plain(text)] + rest).map {
                    plain(one(RedactKnownTests.keys)) + one([":", ": ", " : "]) + $0
                }
                return "{" + members.joined(separator: ",") + "}"
            default: return "null"
            }
        }
    }

    @Test(arguments: settings) func `a processor that has seen much finds what a new one finds`(settings: String) throws
    {
        var draw = Draw(generator: SeededGenerator(seed: 19))
        let old = try redact(settings)
        for round in 0..<150 {
            let spans = (0..<4).map { _ in
                var span = TestSpan()
                span.name = draw.one(Self.texts)
                span.attributes = (0..<6).map { _ in (draw.one(Self.keys), draw.value()) }
                return span
            }
            var (one, other) = (try work(spans), try work(spans))
            old.process(&one)
            try redact(settings).process(&other)
            #expect(one.batch.bytes == other.batch.bytes, "round \(round)")
            #expect(Set(one.tally.entries.map { "\($0)" }) == Set(other.tally.entries.map { "\($0)" }))
        }
    }

    /// An escape in front has JSON read token by token.
    @Test(arguments: settings) func `JSON without escapes holds what it holds beside one`(settings: String) throws {
        var draw = Draw(generator: SeededGenerator(seed: 20))
        let processor = try redact(settings)
        var clear = 0
        for _ in 0..<1500 {
            var json = "[" + (0..<3).map { _ in draw.json() }.joined(separator: ",") + "]"
            if Int.random(in: 0..<4, using: &draw.generator) == 0 {
                json = String(json.prefix(Int.random(in: 1...json.count, using: &draw.generator)))
            }
            let found = try processor.become(json)
            let beside = try processor.become("[" + #""\u0020","# + json.dropFirst())
            #expect(beside.text.replacing(#""\u0020","#, with: "") == found.text)
            #expect(beside.by == found.by, "\(json)")
            if found.by.isEmpty { clear += 1 }
        }
        #expect((100...1400).contains(clear))
    }

    @Test func `a name behind its value counts, and every one of several values`() throws {
        func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(field: tag, content)
            return bytes
        }
        let (key, value) = (field(0x0A, Array("hidden".utf8)), field(0x12, TestValue.string("x").wire))
        let mail = field(0x12, TestValue.array(["ada@b.example", ["in": "ada@b.example"]]).wire)
        for member in [value + key, key + value + value, field(0x0A, Array("note".utf8)) + value + key, mail + key] {
            var body = tracesRequest([TestSpan()], resource: [:], scope: "s")
            body += field(0x0A, field(0x0A, field(0x0A, member)))
            var done = SpanWork(
                batch: try Envelope(body),
                source: RequestSource(receiver: "otlp"),
                receivedAt: UnixTime(nanoseconds: 1)
            )
            try redact(#"{"keys": ["hid*"]}"#).process(&done)
            let hidden = Array("[redacted:key]".utf8)
            #expect(done.batch.bytes.firstRange(of: hidden) != nil && done.refusal == nil)
            #expect(done.batch.bytes.firstRange(of: Array("ada@".utf8)) == nil)
        }
        var done = SpanWork(
            batch: try Envelope(
                tracesRequest([TestSpan()], resource: [:], scope: "s")
                    + field(0x0A, field(0x0A, field(0x0A, mail + field(0x0A, Array("note".utf8)))))
            ),
            source: RequestSource(receiver: "otlp"),
            receivedAt: UnixTime(nanoseconds: 1)
        )
        try redact().process(&done)
        #expect(done.batch.bytes.firstRange(of: Array("ada@".utf8)) == nil && done.places == ["resource"])
    }

    @Test func `a unit that other texts make invalid refuses its request`() throws {
        var done = try work([TestSpan(), TestSpan(id: 3, trace: 2)])
        var edits = TextEdits()
        edits.replace(done.batch.spans[1].name, with: [0xFF])
        done.rewrite(edits)
        #expect(done.refusal == .invalid("span 1 would be invalid with other texts in it: a string is not valid UTF-8"))
        #expect(done.batch.keptCount == 2)
    }
}
