import Basics
import MLflow
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Processors

@Suite struct AttributesTests {
    private func processor(_ actions: String, _ more: String = "") throws -> Attributes {
        let node = try JSONNode(parsing: Array(#"{"actions": [\#(actions)]\#(more)}"#.utf8))
        var context = DecodeContext()
        let settings = AttributesSettings.shape.read(node, &context)
        #expect(context.problems.map(\.message) == [])
        return try Attributes(name: "tidy", settings: try #require(settings))
    }

    /// What leaves, as an index.
    private func out(_ work: SpanWork) throws -> SpanBatch {
        try SpanBatch(try #require(work.batch.encoded()).payload)
    }

    /// `key=value` in the order of the wire.
    private func text(_ batch: SpanBatch, _ attributes: Range<Int>) -> [String] {
        attributes.map { index in
            let value =
                switch batch.value(of: index) {
                case .string(let range): batch.text(range)
                case .int(let value): "\(value)i"
                case .double(let value): "\(value)d"
                case .bool(let value): "\(value)"
                default: "?"
                }
            return "\(batch.text(batch.attributes[index].key))=\(value)"
        }
    }

    /// The attributes of the only span after these actions.
    private func changed(_ actions: String, _ attributes: KeyValuePairs<String, TestValue>) throws -> [String] {
        var work = try work(TestSpan("span", attributes), resource: ["service.name": "shop", "size": 3])
        try processor(actions, #", "hash_key": "key""#).process(&work)
        let batch = try out(work)
        return text(batch, batch.spans[0].attributes)
    }

    @Test(arguments: [
        ("insert", ["a=old", "b=x"], ["a=old", "b=x", "c=1i"]),
        ("update", ["b=x", "a=1i"], ["a=old", "b=x"]),
        ("upsert", ["b=x", "a=1i"], ["a=old", "b=x", "c=1i"]),
    ])
    func `a value is set where the action says`(action: String, there: [String], missing: [String]) throws {
        let attributes: KeyValuePairs<String, TestValue> = ["a": "old", "b": "x"]
        #expect(try changed(#"{"action": "\#(action)", "key": "a", "value": 1}"#, attributes) == there)
        #expect(try changed(#"{"action": "\#(action)", "key": "c", "value": 1}"#, attributes) == missing)
    }

    @Test(arguments: [
        ("\"text\"", "v=text"), ("7", "v=7i"), ("-9007199254740993", "v=-9007199254740993i"), ("1.0", "v=1.0d"),
        ("2.5", "v=2.5d"), ("true", "v=true"), ("\"\"", "v="),
    ])
    func `a value keeps its type`(value: String, attribute: String) throws {
        #expect(try changed(#"{"action": "upsert", "key": "v", "value": \#(value)}"#, [:]) == [attribute])
    }

    @Test(arguments: [
        ("a", ["c=copied"]), ("service.name", []), ("resource.service.name", ["c=shop"]), ("resource.size", ["c=3i"]),
        ("resource.none", []), ("none", []),
    ])
    func `a value comes from another attribute`(from: String, added: [String]) throws {
        let attributes = try changed(#"{"action": "insert", "key": "c", "from": "\#(from)"}"#, ["a": "copied"])
        #expect(attributes == ["a=copied"] + added)
    }

    @Test func `a long value is copied whole`() throws {
        let long = String(repeating: "x", count: 5000)
        let attributes = try changed(#"{"action": "upsert", "key": "c", "from": "a"}"#, ["a": .string(long)])
        #expect(attributes == ["a=" + long, "c=" + long])
    }

    @Test(arguments: [
        ("http.*", ["a=1i"]), ("http.header.*", ["a=1i", "http.method=GET"]),
        ("a", ["http.method=GET", "http.header.x=y"]),
        ("none", ["a=1i", "http.method=GET", "http.header.x=y"]), ("*", []),
    ])
    func `what a glob matches is deleted`(key: String, left: [String]) throws {
        let attributes: KeyValuePairs<String, TestValue> = ["a": 1, "http.method": "GET", "http.header.x": "y"]
        #expect(try changed(#"{"action": "delete", "key": "\#(key)"}"#, attributes) == left)
    }

    @Test func `a key that stands twice is changed as one`() throws {
        let attributes: KeyValuePairs<String, TestValue> = ["a": 1, "b": 2, "a": 3]
        #expect(try changed(#"{"action": "delete", "key": "a"}"#, attributes) == ["b=2i"])
        #expect(try changed(#"{"action": "update", "key": "a", "value": 9}"#, attributes) == ["b=2i", "a=9i"])
        #expect(try changed(#"{"action": "rename", "key": "a", "to": "c"}"#, attributes) == ["b=2i", "c=3i"])
        #expect(try changed(#"{"action": "insert", "key": "c", "from": "a"}"#, attributes).last == "c=3i")
    }

    @Test func `a renamed attribute takes the place of one that has the key`() throws {
        let attributes: KeyValuePairs<String, TestValue> = ["a": 1, "b": 2, "c": 3]
        #expect(try changed(#"{"action": "rename", "key": "a", "to": "c"}"#, attributes) == ["c=1i", "b=2i"])
        #expect(try changed(#"{"action": "rename", "key": "x", "to": "c"}"#, attributes) == ["a=1i", "b=2i", "c=3i"])
        #expect(try changed(#"{"action": "rename", "key": "a", "to": "a"}"#, attributes) == ["a=1i", "b=2i", "c=3i"])
    }

    @Test func `a hash is that of RFC 2104`() throws {
        let code = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
        let attributes: KeyValuePairs<String, TestValue> = [
            "user.id": "The quick brown fox jumps over the lazy dog", "user.age": 7, "a": 1,
        ]
        let one = try changed(#"{"action": "hash", "key": "user.id"}"#, attributes)
        #expect(one == ["user.age=7i", "a=1i", "user.id=" + code])
        let all = try changed(#"{"action": "hash", "key": "user.*"}"#, attributes)
        #expect(all.count == 3 && all.contains("user.id=" + code) && !all.contains("user.age=7i"))
        let text = try changed(#"{"action": "hash", "key": "n"}"#, ["n": "7"])
        #expect(try changed(#"{"action": "hash", "key": "n"}"#, ["n": 7]) == text)
    }

    @Test func `each action sees what those before it did`() throws {
        let actions = #"""
            {"action": "insert", "key": "a", "value": "x"}, {"action": "rename", "key": "a", "to": "b"},
            {"action": "insert", "key": "a", "from": "b"}, {"action": "upsert", "key": "c", "from": "a"},
            {"action": "delete", "key": "a"}, {"action": "update", "key": "c", "value": true}
            """#
        #expect(try changed(actions, ["z": 1]) == ["z=1i", "b=x", "c=true"])
        #expect(try changed(actions, ["a": "y"]) == ["b=y", "c=true"])
    }

    @Test func `resources, scopes and events are changed once each`() throws {
        var first = TestSpan("first", id: 1, ["k": 0])
        first.events = [("one", [("k", 1), ("old", 2)]), ("two", [])]
        var work = try work(first, TestSpan("second", id: 2), resource: ["service.name": "shop", "gone": 1])
        let processor = try processor(
            #"""
            {"on": "resource", "action": "delete", "key": "gone"},
            {"on": "resource", "action": "insert", "key": "copy", "from": "service.name"},
            {"on": "scope", "action": "upsert", "key": "s", "from": "resource.gone"},
            {"on": "event", "action": "upsert", "key": "k", "value": "e"},
            {"on": "event", "action": "rename", "key": "old", "to": "new"}
            """#
        )
        processor.process(&work)
        let batch = try out(work)
        #expect(text(batch, batch.resources[0].attributes) == ["service.name=shop", "copy=shop"])
        #expect(text(batch, batch.attributes(of: .scope(0))) == ["s=1i"])
        #expect(text(batch, batch.spans[0].attributes) == ["k=0i"])
        #expect(batch.events.indices.map { text(batch, batch.events[$0].attributes) } == [["new=2i", "k=e"], ["k=e"]])
        #expect(batch.spans.map { batch.text($0.name) } == ["first", "second"])
    }

    @Test func `only spans for which the condition holds are changed, and what stands around one of them`() throws {
        var work = try work(TestSpan("a", id: 1), TestSpan("b", id: 2))
        let actions =
            #"{"action": "insert", "key": "k", "value": 1}, {"on": "resource", "action": "insert", "key": "r", "value": 2}"#
        try processor(actions, #", "when": {"name": "b"}"#).process(&work)
        let batch = try out(work)
        #expect(batch.spans.map { text(batch, $0.attributes) } == [[], ["k=1i"]])
        #expect(text(batch, batch.resources[0].attributes) == ["service.name=shop", "r=2i"])
        var other = try ProcessorsTests.work(TestSpan("a"))
        try processor(actions, #", "when": {"name": "b"}"#).process(&other)
        #expect(try #require(other.batch.encoded()).payload == other.batch.bytes)
    }

    @Test func `what no action is about leaves as it came`() throws {
        var work = try work(TestSpan("span", ["a": 1, "b": "x"]))
        try processor(#"{"action": "delete", "key": "c"}, {"action": "update", "key": "d", "value": 1}"#).process(&work)
        #expect(!work.batch.isMarked)
        #expect(try #require(work.batch.encoded()).payload == work.batch.bytes)
    }

    @Test func `over the limit nothing is added, and what was to go is gone all the same`() throws {
        let actions = #"""
            {"action": "insert", "key": "copy", "from": "big"}, {"action": "hash", "key": "secret"},
            {"action": "delete", "key": "gone"}
            """#
        let attributes: KeyValuePairs<String, TestValue> = [
            "big": .string(String(repeating: "x", count: 1000)), "secret": "s", "gone": 1,
        ]
        var work = try work(TestSpan("span", attributes))
        work.addedMax = 50
        try processor(actions, #", "hash_key": "key""#).process(&work)
        let batch = try out(work)
        #expect(text(batch, batch.spans[0].attributes).map { $0.prefix(4) } == ["big="])
        #expect(work.tally.count(.unmapped, by: "tidy") == 1)
    }

    @Test func `people are told what was done to a span and by which action`() throws {
        var work = try work(TestSpan("a", id: 1, ["old": 1, "x.y": 2]), TestSpan("b", id: 2))
        let processor = try processor(
            #"""
            {"on": "resource", "action": "upsert", "key": "r", "value": 1}, {"action": "rename", "key": "old", "to": "new"},
            {"action": "delete", "key": "x.*"}, {"action": "insert", "key": "i", "from": "resource.service.name"}
            """#
        )
        var notes: [SpanNote] = []
        processor.process(&work, noting: &notes)
        func note(
            _ span: Int,
            _ action: AttributeDecision.Action,
            _ target: String,
            _ rule: String,
            _ sources: [String] = []
        ) -> SpanNote {
            SpanNote(span, .changed(.init(span: span, action: action, target: target, rule: rule, sources: sources)))
        }
        #expect(
            notes == [
                note(0, .set, "resource.r", "action 1, upsert"),
                note(0, .renamed, "new", "action 2, rename", ["old"]),
                note(0, .removed, "x.y", "action 3, delete"),
                note(0, .set, "i", "action 4, insert", ["resource.service.name"]),
                note(1, .set, "resource.r", "action 1, upsert"),
                note(1, .set, "i", "action 4, insert", ["resource.service.name"]),
            ]
        )
    }

    @Test(arguments: [
        (#"{"action": "insert", "key": "a"}"#, "", #"/actions/0: one of "value" and "from" is needed, and only one"#),
        (
            #"{"action": "update", "key": "a", "value": 1, "from": "b"}"#, "",
            #"/actions/0: one of "value" and "from" is needed, and only one"#
        ),
        (#"{"action": "rename", "key": "a"}"#, "", #"/actions/0: "to" is missing"#),
        (
            #"{"action": "delete", "key": "a", "value": 1}"#, "",
            #"/actions/0/value: "value" has no meaning for "delete""#
        ),
        (
            #"{"action": "upsert", "key": "a.*", "value": 1}"#, "",
            #"/actions/0/key: "a.*" is a glob; only "delete" and "hash" take one"#
        ),
        (
            #"{"action": "upsert", "key": "a", "value": [1]}"#, "",
            "/actions/0/value: found an array; allowed: a string, a number, true or false"
        ),
        (#"{"action": "hash", "key": "a"}"#, "", #": "hash_key" is missing; an action is "hash""#),
        ("", "", ": no action; at least one is needed"),
        (
            #"{"on": "points", "action": "delete", "key": "a"}"#, "",
            #"/actions/0/on: found "points"; allowed: "span", "resource", "scope", "event", "log", "metric", "datapoint""#
        ),
        (
            #"{"action": "delete", "key": "a"}"#, #", "when": {"status": "bad"}"#,
            "/when/status: one of unset, ok, error is expected"
        ),
    ])
    func `a wrong setting is named with its place`(actions: String, more: String, problem: String) throws {
        let node = try JSONNode(parsing: Array(#"{"actions": [\#(actions)]\#(more)}"#.utf8))
        var context = DecodeContext()
        _ = AttributesSettings.shape.read(node, &context)
        #expect(context.problems.map { "\($0.pointer): \($0.message)" } == [problem])
    }
}
