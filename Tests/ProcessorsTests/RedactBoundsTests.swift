import Basics
import Conditions
import Foundation
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

/// What `redact` costs at worst, and what it takes for a secret that is none.
struct RedactBoundsTests {
    /// Beginnings of everything, repeated without an end.
    static let hostile = [
        "sk-ant-api03-", "sk-proj-", "gsk_", "AIza", "AKIA", "ABSK", "ghp_", "github_pat_", "glpat-", "xoxb-1",
        "sk_live_", "dapi",
        "npm_", "pypi-AgEIcHlwaS5vcmc", "a1Q~", "SG.a.", "eyJ", "eyJhbGciOiJub25lIn0.", "-----BEGIN PRIVATE KEY-----",
        "://a:",
        "x://a:b@", "Authorization: Bearer ", "token=", "password: a1", "a@", "a@b.", "+1 ", "4111 ", "4111-", "DE89 ",
        "123-45-",
        "nhs 1234567890 ", "::", "1.1.", "data:image/png;base64,", "data:;", #"\"#, #"\u0061"#, #"{"a":"#, "[",
        #""{\""#, #"{"token":"a"},"#,
        "/services/T", "hooks.slack.com/services/T", "{\"key\":", "é@", "a%40", "a@b-", "\"key\" : ", "'key': [",
        "x://a:$b@", "**token**:a1",
        "{} ", "ticket-", "aaaa",
    ]

    @Test(arguments: hostile)
    func `a value of near-misses costs no more than its budget`(beginning: String) throws {
        let bytes = ProcessInfo.processInfo.environment["MILLRACE_LONG"] == nil ? 1 << 17 : 1 << 20
        var text = ""
        while text.utf8.count + beginning.utf8.count <= bytes { text += beginning }
        let processor = try redact(
            #"""
            {"detectors": {"phone": true, "ip": true}, "keys": ["k*y"], "budget": "\#(bytes)B",
             "patterns": [{"name": "t", "match": "ticket-.*end"}, {"name": "a", "match": "a{1,50}b|aa"}]}
            """#
        )
        var span = TestSpan()
        span.attributes = [("text", .string(text))]
        var done = try work([span])
        let before = done.account.steps
        processor.process(&done)
        // Of what the request may cost, which is 64 steps for each of its bytes.
        #expect(done.account.steps - before <= 24 * bytes)
        #expect(done.refusal == nil)
    }

    @Test func `a value over its budget goes whole`() throws {
        let processor = try redact(#"{"budget": "1KiB", "patterns": [{"name": "q", "match": "qqz|q"}]}"#)
        #expect(try processor.become(String(repeating: "word ", count: 300)).text == "[redacted:budget]")
        #expect(try processor.become(String(repeating: "q", count: 1000)).text == "[redacted:budget]")
        #expect(try processor.become(String(repeating: "b", count: 1000)).by == [])
    }

    @Test func `searches for a pattern end where the request may cost no more`() throws {
        var redactor = TextRedactor(try patternPlan("x.*z|x"))
        redactor.stepsEnd = 100_000
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)
        let hits = redactor.hits(in: text.span.bytes, 0..<text.count)
        #expect(hits.map(\.label) == [RedactionLabels.budget])
        #expect(redactor.steps > 100_000 && redactor.steps < 200_000)
    }

    @Test func `hits inside of one character take it once`() throws {
        var redactor = TextRedactor(try patternPlan(#"\C"#))
        for text in ["é", "éé", "aé漢😀b"] {
            let bytes = Array(text.utf8)
            let hits = redactor.hits(in: bytes.span.bytes, 0..<bytes.count)
            #expect(hits.count == bytes.count)
            let written = redactor.written(hits, bytes.span.bytes, 0..<bytes.count)
            #expect(String(decoding: written, as: UTF8.self) == String(repeating: "*", count: text.count))
        }
    }

    private func patternPlan(_ pattern: String) throws -> RedactionPlan {
        RedactionPlan(
            detectors: [],
            keys: [],
            patterns: [("p", try RegularExpression(pattern))],
            insideJSON: true,
            media: false,
            budget: 1 << 20,
            stand: Replacement(template: "*", hash: nil),
            labels: RedactionLabels(patterns: ["p"])
        )
    }

    @Test func `a request that would grow beyond its limit is refused`() throws {
        let processor = try redact(#"{"keys": ["*"], "with": "\#(String(repeating: "x", count: 64))"}"#)
        var span = TestSpan()
        span.attributes = (0..<20_000).map { ("k\($0 % 10)", .int(Int64($0))) }
        var done = try work([span])
        processor.process(&done)
        guard case .excess(.written)? = done.refusal else {
            Issue.record("not refused")
            return
        }
    }

    @Test func `real requests have nothing that is found`() throws {
        let processor = try redact()
        var found: [String: Set<String>] = [:]
        let all =
            Fixtures.traceCaptures().map { (Signal.traces, $0) }
            + [Signal.logs, .metrics].flatMap { signal in
                [false, true].flatMap { inJSON in Fixtures.captures(of: signal, inJSON: inJSON).map { (signal, $0) } }
            }
            + ["payloads/small.pb", "payloads/large.pb"].map { (Signal.traces, $0) }
        #expect(all.count > 50)
        for (signal, path) in all {
            var done = SpanWork(
                batch: try Envelope(try Fixtures.request(path, signal), signal: signal),
                source: RequestSource(receiver: "otlp"),
                receivedAt: UnixTime(nanoseconds: 1)
            )
            processor.process(&done)
            for detector in done.detectors { found[detector, default: []].insert(path) }
        }
        #expect(found == [:])
    }

    @Test func `ten thousand chats in eight languages have nothing that is found`() throws {
        let processor = try redact()
        var chats = Chats(generator: SeededGenerator(seed: 2026))
        for _ in 0..<500 {
            let texts = (0..<20).map { _ in chats.next() }
            var span = TestSpan()
            span.attributes = texts.enumerated().map { ("chat.\($0)", .string($1)) }
            var done = try work([span])
            let body = done.batch.bytes
            processor.process(&done)
            guard done.batch.bytes != body else { continue }
            let changed = try texts.filter { try processor.become($0).by != [] }
            Issue.record("\(done.detectors) in \(changed)")
        }
    }
}

/// Chats as people and models write them: sentences, numbers, code, hashes, identifiers, JSON.
private struct Chats {
    var generator: SeededGenerator

    private static let sentences = [
        "Please compare the two contracts and tell me which one is cheaper.",
        "Bitte fasse den Bericht vom Montag in drei Sätzen zusammen.",
        "Peux-tu m'expliquer la différence entre les deux méthodes ?",
        "¿Cuál es el mejor horario para llamar a los clientes?",
        "請把這段文字翻譯成英文，並保留數字。", "このコードのどこが遅いのか教えてください。", "Пожалуйста, проверь эту таблицу на ошибки.",
        "من فضلك لخص هذا المستند في خمس نقاط.",
        "The basic idea: tokens are billed per request; the secret to speed is batching.",
        "Das Passwort: bitte nie per Mail senden.", "Der Schlüssel liegt beim Pförtner, Zimmer 12-34.",
    ]
    private static let codes = [
        "def total(items: list[int]) -> int:\n    return sum(items)  # O(n)",
        "for (let i = 0; i < items.length; i++) { sum += items[i]; }",
        "SELECT id, name FROM users WHERE created_at > '2026-11-01' LIMIT 100;",
        "token = tokenizer.decode(ids[:n_tokens])",
        "@decorator\nclass Shop(Base): key = 'name'; password = getpass()",
        "git clone git@github.com:owner/name.git && cd name",
        "let secret = env.get(\"SECRET_NAME\") ?? \"\"", "pip install numpy==2.1.3 torch==2.5.1+cu124",
        "img { background: url(logo@2x.png) }",
    ]

    mutating func next() -> String {
        let parts = (0..<Int.random(in: 2...8, using: &generator)).map { _ in part() }
        let text = parts.joined(separator: " ")
        guard Int.random(in: 0..<3, using: &generator) == 0 else { return text }
        var writer = JSONWriter()
        writer.beginArray()
        writer.beginObject()
        writer.key("role")
        writer.string("user")
        writer.key("content")
        writer.string(text)
        writer.endObject()
        writer.endArray()
        return writer.text
    }

    private mutating func part() -> String {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: return Self.codes.randomElement(using: &generator) ?? ""
        case 1: return digits(Int.random(in: 1...12, using: &generator))
        case 2: return FakeSecrets.letters(40, of: FakeSecrets.hexadecimal, seed: generator.next())
        case 3: return FakeSecrets.letters(64, of: FakeSecrets.hexadecimal, seed: generator.next())
        case 4:
            return [8, 4, 4, 4, 12].map { FakeSecrets.letters($0, of: FakeSecrets.hexadecimal, seed: generator.next()) }
                .joined(separator: "-")
        case 5: return "\(digits(3)).\(digits(8)) € on 2026-11-\(digits(2)) at 17\(digits(8)) or 17\(digits(17))"
        case 6: return "order \(digits(4))-\(digits(7)), page \(digits(3)): \(digits(2))%, tel. 030/\(digits(7))"
        default: return Self.sentences.randomElement(using: &generator) ?? ""
        }
    }

    private mutating func digits(_ count: Int) -> String {
        FakeSecrets.letters(count, of: "0123456789", seed: generator.next())
    }
}
