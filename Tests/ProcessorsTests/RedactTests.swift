import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

/// What `redact` finds, where, and what it leaves.
struct RedactTests {
    @Test(arguments: FakeSecrets.all)
    func `a secret is found alone, in a sentence and behind an escape, and what is around it stays`(
        detector: String,
        secret: String
    ) throws {
        let processor = try redact()
        for (before, after) in [
            ("", ""), ("see ", " now"), ("(", ")"), (#"first line\n"#, #"\tlast"#), ("größer: ", "。"),
        ] {
            let (text, by) = try processor.become(before + secret + after)
            #expect(text == before + "[redacted:\(detector)]" + after)
            #expect(by == [detector])
        }
    }

    @Test(arguments: FakeSecrets.all)
    func `a detector that is switched off finds nothing`(detector: String, secret: String) throws {
        let (text, by) = try redact(#"{"detectors": {"\#(detector)": false}}"#).become(secret)
        #expect(text == secret && by == [])
    }

    @Test(arguments: FakeSecrets.inContext)
    func `a secret that its surroundings tell is found`(detector: String, text: String, left: String) throws {
        let (found, by) = try redact().become(text)
        #expect(found == left)
        #expect(by == [detector])
    }

    @Test(arguments: FakeSecrets.nearMisses)
    func `what only looks like a secret stays`(text: String) throws {
        let (found, by) = try redact().become(text)
        #expect(found == text && by == [])
    }

    @Test func `phone numbers and addresses of networks are found when asked for`() throws {
        let processor = try redact(#"{"detectors": {"phone": true, "ip": true}}"#)
        let text = "call +49 (30) 901-820 from 192.168.7.9, or 2001:db8::7; not 1.2.3 or 12:30:00"
        let left = "call [redacted:phone] from [redacted:ip], or [redacted:ip]; not 1.2.3 or 12:30:00"
        #expect(try processor.become(text).text == left)
    }

    @Test func `a key of AWS is found near its id`() throws {
        let (id, key) = (
            "AK" + "IA" + FakeSecrets.letters(16, of: FakeSecrets.base32), FakeSecrets.letters(40, seed: 12)
        )
        let left = "[redacted:aws_key_id] / [redacted:aws_secret]"
        #expect(try redact().become("\(id) / \(key)").text == left)
        #expect(try redact().become("hash / \(key)").by == [])
    }

    @Test func `the value of an attribute goes by its name, whatever it is`() throws {
        var span = TestSpan()
        span.attributes = [
            ("user.id", 7), ("user.name", "Ada"), ("other", ["user.id": 7, "deep": ["user.name": 1.5]]),
            ("api_key", "aB3dE6gH9jK2mN5p"),
            ("token_count", 12),
        ]
        var done = try work([span])
        try redact(#"{"keys": ["user.*"]}"#).process(&done)
        let out = try json(done)
        for kept in ["token_count", "\"12\"", "user.id", "deep"] { #expect(out.contains(kept)) }
        for gone in ["Ada", "\"7\"", "1.5", "aB3dE6gH9jK2mN5p"] { #expect(!out.contains(gone)) }
        #expect(done.detectors == ["key", "secret"])
    }

    @Test func `equal values stay equal by a hash with a key`() throws {
        let settings = #"{"hash": {"key": "0123456789abcdef", "key_id": "a"}, "keys": ["customer.*"]}"#
        let processor = try redact(settings)
        /// The only code in what a text becomes.
        func code(_ text: String, _ processor: Redact, key: String = "text") throws -> Substring {
            let found = try processor.become(text, key: key).text
            return try #require(found.firstMatch(of: /\[[a-z_]+:a:[0-9a-f]{32}\]/), "\(text)").output
        }
        // What is the same however it is written.
        for texts in [
            [
                "Ada@Example.org", "mail ada@example.org", #"{"a":"ada\u0040example.org"}"#,
                #"see ada\u0040example.org"#,
            ],
            [
                "4111111111111111", "4111-1111-1111-1111", #"{"a":4111111111111111}"#,
                #"["41111111111111\u0031\u0031"]"#,
            ],
            [
                #"{"customer.name":"José"}"#, #"{"customer.name":"Jos\u00e9"}"#,
                #"data: {"customer.name":"Jos\u00e9"}"#,
                #"{"in":"{\"customer.name\":\"Jos\\u00e9\"}"}"#,
            ],
            [#"{"customer.id":42}"#, #"{"customer.id":"42"}"#, #"x {"customer.id": 42}"#],
        ] {
            #expect(Set(try texts.map { try code($0, processor) }).count == 1, "\(texts)")
        }
        var span = TestSpan()
        span.attributes = [("customer.id", 42)]
        var done = try work([span])
        processor.process(&done)
        #expect(try json(done).contains(try code(#"{"customer.id":42}"#, processor)))
        let other = try redact(settings.replacing("0123", with: "3210"))
        #expect(try code("ada@example.org", other) != code("ada@example.org", processor))
    }

    @Test func `media becomes its type, size and hash, and is not scanned`() throws {
        let image = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Array(repeating: UInt8(7), count: 3000)
        let stub = "[media:image/png,bytes=3008,sha256=\(SHA256.hash(image).hexadecimal)]"
        let processor = try redact(#"{"budget": "1KiB"}"#)
        let address = "data:image/png;base64,\(image.base64)"
        #expect(try processor.become("see \(address) there").text == "see \(stub) there")
        #expect(try processor.become(image.base64).text == stub)
        #expect(
            try processor.become(#"[{"image_url":{"url":"\#(address)"}}]"#).text
                == #"[{"image_url":{"url":"\#(stub)"}}]"#
        )
        let kept = try redact(#"{"media": false}"#).become(address)
        #expect(kept.text == address)
        // What can be guessed has no hash, and what is no type is not shown.
        let card = Array("4111111111111111".utf8).base64
        #expect(try processor.become("data:text/plain;base64,\(card)").text == "[media:text/plain,bytes=16]")
        #expect(try processor.become("data:AIza/x;base64,\(card)").text == "[media:other,bytes=16]")
    }

    @Test func `patterns find what they match`() throws {
        let processor = try redact(
            #"{"patterns": [{"name": "ticket", "match": "(?i)ticket-\\d+"}, {"name": "naïve", "match": "x"}]}"#
                .replacing("naïve", with: "letter")
        )
        #expect(
            try processor.become("Ticket-12, ticket-9 and x").text
                == "[redacted:ticket], [redacted:ticket] and [redacted:letter]"
        )
        #expect(try processor.become(#"{"a":"\u0054icket-1"}"#).text == #"{"a":"[redacted:ticket]"}"#)
    }

    @Test(arguments: [
        (#"{"id":12345678,"s":"12345678"}"#, #"{"id":"[redacted:account]","s":"[redacted:account]"}"#),
        ("[-12345678, 1.5, 1234567]", #"["[redacted:account]", 1.5, 1234567]"#),
        (#"{"in":"{\"id\": 123456789}"}"#, #"{"in":"{\"id\": \"[redacted:account]\"}"}"#),
        (#"x 12345678, {"id":12345678}"#, #"x [redacted:account], {"id":[redacted:account]}"#),
    ])
    func `patterns find numbers in JSON, which go whole`(text: String, left: String) throws {
        let processor = try redact(#"{"patterns": [{"name": "account", "match": "[0-9]{8}"}]}"#)
        #expect(try processor.become(text).text == left)
    }

    @Test func `the case of a hidden name does not matter`() throws {
        let processor = try redact(#"{"keys": ["user.*", "passPhrase"]}"#)
        #expect(try processor.become("Ada", key: "User.Name").text == "[redacted:key]")
        #expect(
            try processor.become(#"{"PASSPHRASE":"a b","user.Mail":1}"#).text
                == #"{"PASSPHRASE":"[redacted:key]","user.Mail":"[redacted:key]"}"#
        )
    }

    @Test(arguments: ["\n", "\r\n"]) func `media in lines goes whole, and what follows stays`(end: String) throws {
        let image = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + Array(repeating: UInt8(7), count: 300)
        let letters = Array(image.base64)
        let lines = stride(from: 0, to: letters.count, by: 76)
            .map { String(letters[$0..<min($0 + 76, letters.count)]) }
            .joined(separator: end)
        let stub = "[media:image/png,bytes=308,sha256=\(SHA256.hash(image).hexadecimal)]"
        let processor = try redact()
        for after in ["", end, end + "and a word.", "\""] {
            #expect(try processor.become(lines + after).text == stub + after)
            let address = "see data:image/png;base64,"
            #expect(try processor.become(address + lines + after).text == "see " + stub + after)
        }
        // A word behind a full line is none of its letters.
        let full = String(letters[..<76])
        let (left, _) = try processor.become(full + end + "Hello you")
        #expect(left.hasSuffix("]" + end + "Hello you"))
    }

    @Test(arguments: [
        (#"{"patterns": [{"name": "a", "match": "("}]}"#, "cannot be used"),
        (#"{"patterns": [{"name": "a", "match": "x*"}]}"#, "matches the empty text"),
        (#"{"patterns": [{"name": "a", "match": "x\\C"}]}"#, "a single byte"),
        (#"{"patterns": [{"name": "email", "match": "x"}]}"#, "no detector's name"),
        (#"{"patterns": [{"name": "a", "match": "x"}, {"name": "a", "match": "y"}]}"#, "names two patterns"),
        (#"{"with": "say \"NAME\""}"#, "without quotes"),
        (#"{"with": "x", "hash": {"key": "0123456789abcdef", "key_id": "a"}}"#, "no meaning"),
        (#"{"hash": {"key": "0123456789abcde", "key_id": "a"}}"#, "at least 16 bytes"),
        (#"{"detectors": {"emails": true}}"#, "email"),
        (#"{"budget": "1B"}"#, "at least"),
    ])
    func `settings that cannot be used are refused`(settings: String, message: String) throws {
        var context = DecodeContext()
        _ = RedactSettings.shape.read(try JSONNode(parsing: Array(settings.utf8)), &context)
        #expect(context.problems.contains { $0.message.contains(message) })
    }

    @Test func `every place of every signal is reached, and trace states are not`() throws {
        for (signal, request, places) in RedactRequests.all {
            var deviations = DeviationCounts()
            let body = try OTLPJSON.decode(Array(request.utf8), signal: signal, deviations: &deviations)
            var done = SpanWork(
                batch: try Envelope(body, signal: signal),
                source: RequestSource(receiver: "otlp"),
                receivedAt: UnixTime(nanoseconds: 1)
            )
            try redact().process(&done)
            let payload = try #require(done.batch.encoded()).payload
            let out = String(decoding: try OTLPJSON.encode(payload, signal: signal), as: UTF8.self)
            #expect(!out.replacing("keep=a@b.example", with: "").contains("@b.example"))
            #expect(done.places == places)
            // Everything else is as it came.
            let expected = try OTLPJSON.decode(
                Array(request.replacing("ada@b.example", with: "[redacted:email]").utf8),
                signal: signal,
                deviations: &deviations
            )
            #expect(payload == expected)
        }
    }

    @Test func `a request in which nothing is found is the same bytes`() throws {
        for path in Fixtures.traceCaptures() {
            let body = try Fixtures.bytes(path)
            var done = SpanWork(
                batch: try Envelope(body),
                source: RequestSource(receiver: "otlp"),
                receivedAt: UnixTime(nanoseconds: 1)
            )
            try redact().process(&done)
            if done.detectors.isEmpty { #expect(done.batch.bytes == body) }
        }
    }

    @Test func `what is found is noted without it`() throws {
        var span = TestSpan()
        span.name = "mail ada@b.example"
        span.attributes = [("to ada@b.example", "ada@b.example and eve@b.example")]
        var done = try work([span])
        var notes: [SpanNote] = []
        try redact().process(&done, noting: &notes)
        #expect(!"\(notes)".contains("@b.example"))
        let found = notes.compactMap {
            if case .changed(let decision) = $0.finding { "\(decision.target): \(decision.rule)" } else { nil }
        }
        #expect(found == ["span_name: email", "attribute: email", "attribute to [redacted:email]: email, 2 times"])
    }

    @Test func `a span that is refused stays refused when its broken text goes`() throws {
        var span = TestSpan()
        span.attributes = [("user", "ada"), ("ok", "a@b.example")]
        var body = tracesRequest([span], resource: ["service.name": "x"], scope: "s")
        let at = try #require(body.firstRange(of: Array("ada".utf8))?.lowerBound)
        body[at] = 0xFF
        var done = SpanWork(
            batch: try Envelope(body),
            source: RequestSource(receiver: "otlp"),
            receivedAt: UnixTime(nanoseconds: 1)
        )
        #expect(done.batch.removal(of: 0) == .invalid)
        try redact(#"{"keys": ["user"]}"#).process(&done)
        #expect(done.batch.removal(of: 0) == .invalid)
    }

    private func json(_ work: SpanWork) throws -> String {
        let payload = try #require(work.batch.encoded()).payload
        return String(decoding: try OTLPJSON.encode(payload, signal: work.batch.signal), as: UTF8.self)
    }
}

/// A request of each signal with an address in every text, and the places of these.
enum RedactRequests {
    private static let value = #"{"stringValue": "ada@b.example"}"#
    private static let attributes =
        #""attributes": [{"key": "a", "value": \#(value)}, {"key": "ada@b.example", "value": {"arrayValue": {"values": [\#(value), {"kvlistValue": {"values": [{"key": "k", "value": \#(value)}]}}]}}}]"#
    private static let head = #""resource": {\#(attributes)}, "schemaUrl": "ada@b.example""#
    private static let scope = #""scope": {"name": "ada@b.example", "version": "ada@b.example", \#(attributes)}"#
    private static let span =
        #"{"traceId": "00000000000000000000000000000001", "spanId": "0000000000000001", "traceState": "keep=a@b.example", "name": "ada@b.example", "startTimeUnixNano": "1", "endTimeUnixNano": "2", \#(attributes), "events": [{"name": "ada@b.example", \#(attributes)}], "links": [{"traceId": "00000000000000000000000000000002", "spanId": "0000000000000002", \#(attributes)}], "status": {"message": "ada@b.example"}}"#
    private static let record =
        #"{"severityText": "ada@b.example", "eventName": "ada@b.example", "body": {"kvlistValue": {"values": [{"key": "k", "value": \#(value)}]}}, \#(attributes)}"#
    private static let metric =
        #"{"name": "ada@b.example", "description": "ada@b.example", "unit": "ada@b.example", "metadata": [{"key": "k", "value": \#(value)}], "sum": {"dataPoints": [{"asInt": "1", \#(attributes), "exemplars": [{"asInt": "1", "filteredAttributes": [{"key": "k", "value": \#(value)}]}]}]}}"#

    static let all: [(signal: Signal, request: String, places: Set<String>)] = [
        (
            .traces, #"{"resourceSpans": [{\#(head), "scopeSpans": [{\#(scope), "spans": [\#(span)]}]}]}"#,
            ["resource", "scope", "span_name", "attribute", "event", "link", "status"]
        ),
        (
            .logs, #"{"resourceLogs": [{\#(head), "scopeLogs": [{\#(scope), "logRecords": [\#(record)]}]}]}"#,
            ["resource", "scope", "severity", "event", "body", "attribute"]
        ),
        (
            .metrics, #"{"resourceMetrics": [{\#(head), "scopeMetrics": [{\#(scope), "metrics": [\#(metric)]}]}]}"#,
            ["resource", "scope", "metric", "datapoint", "exemplar"]
        ),
    ]
}
