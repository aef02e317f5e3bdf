import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

/// JSON in JSON in JSON, whose secrets go and which still parses.
struct RedactJSONTests {
    /// The text as a string of JSON.
    private func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.string(text)
        return writer.text
    }

    @Test func `secrets are found eight levels deep and every level still parses`() throws {
        let processor = try redact(#"{"keys": ["age"]}"#)
        var text =
            #"{"mail":"ada@b.example","age":41,"list":[4111111111111111,1.5,null],"age2":7,"password":"aB3dE6gH9jK2mN5p","nested":{"age":{"a":[1,"x"]}}}"#
        for depth in 1...7 {
            let (found, by) = try processor.become(text)
            #expect(by == ["email", "key", "card", "secret"], "depth \(depth)")
            for gone in ["ada@", "41,", "4111111111111111", "aB3dE6gH9jK2mN5p"] { #expect(!found.contains(gone)) }
            var node = try JSONNode(parsing: Array(found.utf8))
            while let inner = node["in"]?.string { node = try JSONNode(parsing: Array(inner.utf8)) }
            #expect(node["age"]?.string == "[redacted:key]" && node["nested"]?["age"]?.string == "[redacted:key]")
            #expect(node["list"]?.elements?.first?.string == "[redacted:card]")
            #expect(node["mail"]?.string == "[redacted:email]" && node["age2"] != nil)
            text = #"{"in":\#(quoted(text)),"n":1}"#
        }
    }

    @Test(arguments: ["Bearer", "Token", "ApiKey", "Digest", "AWS4-HMAC-SHA256"])
    func `what a header authorizes by goes whole, and words in its place stay`(scheme: String) throws {
        let left = "{\"Authorization\":\"\(scheme) [redacted:authorization]\"}"
        let text = "{\"Authorization\":\"\(scheme) abcdefghijklmnopqrst, uri=xyz\"}"
        #expect(try redact().become(text).text == left)
        let words = #"{"Authorization":"Required permissions"}"#
        #expect(try redact().become(words).text == words)
    }

    @Test func `escapes hide nothing and go whole`() throws {
        let processor = try redact()
        let cases = [
            (#"{"a":"\u0061da@b.e\u0078ample"}"#, #"{"a":"[redacted:email]"}"#),
            (
                #"{"a":"\ud83d\ude00 ada@b.example \ud83d\ude00"}"#,
                #"{"a":"\ud83d\ude00 [redacted:email] \ud83d\ude00"}"#
            ),
            (#"["postgres:\/\/ada:hunter2@b\/x"]"#, #"["postgres:\/\/[redacted:url_credentials]@b\/x"]"#),
            (#"["x\nada@b.example\ty"]"#, #"["x\n[redacted:email]\ty"]"#),
            (#"{"ada@b.example":1}"#, #"{"[redacted:email]":1}"#),
            (#"{"p\u0061ssword":"aB3dE6gH9jK2mN5p"}"#, #"{"p\u0061ssword":"[redacted:secret]"}"#),
            (#""ada@b.example""#, #""[redacted:email]""#),
            (#"result: {\"password\": \"aB3dE6gH9jK2mN5p\"}"#, #"result: {\"password\": \"[redacted:secret]\"}"#),
        ]
        for (text, left) in cases { #expect(try processor.become(text).text == left) }
        let key = FakeSecrets.privateKey(#"\n"#)
        #expect(try processor.become(#"{"key":"\#(key)"}"#).text == #"{"key":"[redacted:private_key]"}"#)
        #expect(try processor.become("KEY=" + key).text == "KEY=[redacted:private_key]")
    }

    @Test func `JSON that breaks off is looked at to its end`() throws {
        let processor = try redact(#"{"keys": ["hidden"]}"#)
        let cases = [
            (#"{"a":"ada@b.example","b":"eve@b.exam"#, #"{"a":"[redacted:email]","b":"[redacted:email]"#),
            (#"{"a":1,"password":"aB3dE6gH9jK2mN5p"#, #"{"a":1,"password":"[redacted:secret]"#),
            (#"{"hidden":{"a":[1,"x"#, #"{"hidden":"[redacted:key]""#),
            (#"[INFO] mail "ada@b.example" sent"#, #"[INFO] mail "[redacted:email]" sent"#),
            (#"["a"] and ada@b.example"#, #"["a"] and [redacted:email]"#),
        ]
        for (text, left) in cases { #expect(try processor.become(text).text == left) }
    }

    @Test(arguments: [
        (#"{"role":"user","hidden":"Ada Lovela"#, #"{"role":"user","hidden":"[redacted:key]"#),
        (#"{"hidden":"#, #"{"hidden":"#), (#"{"hidden":"a"#, #"{"hidden":"[redacted:key]"#),
        (#"{"hidden":4242, "x": tru"#, #"{"hidden":"[redacted:key]", "x": tru"#),
        (#"{"hidden":tru"#, #"{"hidden":"[redacted:key]""#),
        (#"{"score": NaN, "hidden": "Ada"}"#, #"{"score": NaN, "hidden": "[redacted:key]"}"#),
        (#"{"hidden": [NaN, "a]"], "x": 1}"#, #"{"hidden": "[redacted:key]", "x": 1}"#),
        ("{\"a\":\"x\ny\",\"hidden\":\"Ada \\\"the\\\" L\"}", "{\"a\":\"x\ny\",\"hidden\":\"[redacted:key]\"}"),
        ("\u{FEFF}{\"hidden\":{\"a\":1}}", "\u{FEFF}{\"hidden\":\"[redacted:key]\"}"),
        (
            "{\"a\":1}\n{\"hidden\":1}\n{\"hidden\":2}",
            "{\"a\":1}\n{\"hidden\":\"[redacted:key]\"}\n{\"hidden\":\"[redacted:key]\"}"
        ),
        (#"data: {"hidden": {"a":"}"}}"#, #"data: {"hidden": "[redacted:key]"}"#),
        ("```json\n{\"hidden\" : \"Ada\"}\n```", "```json\n{\"hidden\" : \"[redacted:key]\"}\n```"),
        (
            #"Calling with {"hidden": null, "b": {"hidden": "Ada"}}."#,
            #"Calling with {"hidden": null, "b": {"hidden": "[redacted:key]"}}."#
        ),
        ("{'hidden': 'Ada', 'n': [Decimal('4')]}", "{'hidden': '[redacted:key]', 'n': [Decimal('4')]}"),
        ("{'hidden': Decimal('4,2'), 'n': 1}", "{'hidden': \"[redacted:key]\", 'n': 1}"),
        (#"log: {\"hidden\": \"Ada, x\", \"n\": 1}"#, #"log: {\"hidden\": \"[redacted:key]\", \"n\": 1}"#),
        (#"log: {\"hidden\": 42, \"n\": 1}"#, #"log: {\"hidden\": \"[redacted:key]\", \"n\": 1}"#),
        (#"{"a": NaN, "hidden": {"b": "x}]\"'"}, "c": "\n"}"#, #"{"a": NaN, "hidden": "[redacted:key]", "c": "\n"}"#),
        (#"{"in":"say {\"hidden\": 42}"}"#, #"{"in":"say {\"hidden\": \"[redacted:key]\"}"}"#),
        ("hidden: Ada, the \"hidden\" value", "hidden: Ada, the \"hidden\" value"),
    ])
    func `a name hides its value where the text is no JSON, or no more`(text: String, left: String) throws {
        let processor = try redact(#"{"keys": ["hidden"]}"#)
        #expect(try processor.become(text).text == left)
        // In lists so deep that nothing reads them as JSON.
        let deep = String(repeating: "[", count: 256)
        #expect(try processor.become(deep + text).text == deep + left)
    }

    @Test func `what a name says holds for what else is found in its value`() throws {
        let processor = try redact()
        let mixed = #"{"passwd":"Zx9#Q$k7@mail.example!Tr5vB8"}"#
        #expect(try !processor.become(mixed).text.contains(/Zx9|Tr5/))
        #expect(try !processor.become("Zx9#Q$k7@mail.example!Tr5vB8", key: "db.passwd").text.contains(/Zx9|Tr5/))
        let key = FakeSecrets.letters(40, seed: 12)
        let keys = "[\"AK" + "IA\(FakeSecrets.letters(16, of: FakeSecrets.base32))\", \"\(key)\"]"
        #expect(try processor.become(keys).text == #"["[redacted:aws_key_id]", "[redacted:aws_secret]"]"#)
        let pattern = try redact(#"{"patterns": [{"name": "account", "match": "CORP\\\\[a-z]+"}]}"#)
        #expect(
            try pattern.become(#"user CORP\nadia, CORP\adam"#).text == "user [redacted:account], [redacted:account]"
        )
    }

    @Test func `where JSON is not read as such, its texts are looked at all the same`() throws {
        let processor = try redact(#"{"inside_json": false, "keys": ["age"]}"#)
        #expect(try processor.become(#"{"age":41,"a":"ada@b.example"}"#).text == #"{"age":41,"a":"[redacted:email]"}"#)
    }

    @Test func `mangled JSON never crashes, and what parsed still parses`() throws {
        let processor = try redact(#"{"keys": ["age", "n*"], "patterns": [{"name": "word", "match": "k[a-z]+"}]}"#)
        var seed =
            #"{"age":41,"mail":"ada@b.example \u00e4 \n","tool":"{\"n\":[4111111111111111],\"password\":\"aB3dE6gH9jK2mN5p\"}","kind":[true,null,{"x":"key"}]}"#
        seed = #"{"in":\#(quoted(seed)),"again":\#(seed)}"#
        var generator = SeededGenerator(seed: 19)
        let signs = Array(#"{}[]",:\0au4@-_"#.utf8)
        var parsed = 0
        for _ in 0..<4000 {
            var bytes = Array(seed.utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[at] = signs.randomElement(using: &generator) ?? 0
                case 1: bytes.remove(at: at)
                default: bytes.insert(signs.randomElement(using: &generator) ?? 0, at: at)
                }
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let found = try processor.become(text).text
            guard (try? JSONNode(parsing: Array(text.utf8))) != nil else { continue }
            parsed += 1
            #expect((try? JSONNode(parsing: Array(found.utf8))) != nil, "\(text)")
        }
        #expect(parsed > 500)
    }
}
