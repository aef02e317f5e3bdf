import Basics
import Conditions
import MLflow
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

/// That conditions cost what a request is large, in counted steps, whatever stands in it.
@Suite struct ConditionCostTests {
    /// The steps of asking every span of a request.
    private func steps(_ conditions: [String], _ request: [UInt8]) throws -> Int {
        var matcher = ConditionMatcher(try conditions.map(condition))
        let batch = try SpanBatch(request)
        for span in batch.spans.indices {
            for position in conditions.indices { _ = matcher.matches(position, span, in: batch, mapped: nil) }
        }
        return matcher.steps
    }

    private func request(
        _ spans: Int,
        attributes: Int = 0,
        resource: Int = 0,
        text: String = "",
        scope: String = "tests"
    ) -> [UInt8] {
        let own = (0..<attributes).map { ("span.key.\($0)", TestValue.int(1)) }
        let described = (0..<resource).map { ("resource.key.\($0)", TestValue.string(text)) }
        let all = (0..<spans).map { index in
            var span = TestSpan(id: UInt64(index + 1))
            span.attributes = own
            return span
        }
        return tracesRequest(all, resource: described + [("service.name", .string(text))], scope: scope)
    }

    @Test(
        arguments: [
            #"{"resource":"host","equals":"a"}"#, #"{"resource":"resource.key.1","matches":"error.*timeout"}"#,
            #"{"service":{"matches":"error.*timeout"}}"#, #"{"not":{"service":{"glob":"*e*r*x"}}}"#,
            #"{"any":[{"service":"x"},{"service":"y"},{"resource":"z","exists":true}]}"#,
        ]
    )
    func `a resource is searched once, however many spans it has`(text: String) throws {
        let long = String(repeating: "error ", count: 10_000)
        let one = try steps([text], request(1, resource: 100, text: long))
        let many = try steps([text], request(2000, resource: 100, text: long))
        #expect(one > 100)
        #expect(many == one)
    }

    @Test func `the name of a scope is tested once, however many spans it has`() throws {
        let long = String(repeating: "error ", count: 10_000)
        let text = #"{"scope":{"matches":"error.*timeout"}}"#
        let one = try steps([text], request(1, scope: long))
        #expect(one > 3000)
        #expect(try steps([text], request(2000, scope: long)) == one)
    }

    @Test func `attributes are gone over once, however many conditions ask for them`() throws {
        let few = (0..<2).map { #"{"attribute":"other.key.\#($0)","exists":true}"# }
        let many =
            (0..<50).map { #"{"attribute":"other.key.\#($0)","exists":true}"# }
            + [#"{"span_type":{"exists":false}}"#, #"{"tokens":{"over":1}}"#]
        let body = request(20, attributes: 300)
        #expect(try steps(few, body) == 6000)
        #expect(try steps(many, body) == 6000)
    }

    @Test func `twice the request takes twice the steps`() throws {
        let conditions = [
            #"{"attribute":"span.key.7","matches":"(x+x+)+y"}"#, #"{"service":{"matches":"x$"}}"#,
            #"{"all":[{"name":{"glob":"*a*b*"}},{"not":{"scope":"s"}}]}"#, #"{"event":"e"}"#,
        ]
        let body = request(100, attributes: 50, resource: 50, text: "x")
        let once = try steps(conditions, body)
        #expect(try steps(conditions, body + body) == 2 * once)
        #expect(once < body.count)
    }

    @Test func `a text costs steps by its length, and so do the elements of an array`() throws {
        func steps(_ value: TestValue) throws -> Int {
            var span = TestSpan()
            span.attributes = [("a", value)]
            return try self.steps([#"{"attribute":"a","matches":"(x+x+)+y"}"#], tracesRequest([span]))
        }
        let text = String(repeating: "x", count: 16_000)
        #expect(try steps(.string(text)) == 1 + 1 + 1000)
        #expect(try steps(.string(text + text)) == 1 + 1 + 2000)
        #expect(try steps(.array(Array(repeating: .string(""), count: 1000))) == 1 + 2 * 1000)
        #expect(try steps(.array([.array([.string(text)]), .members([("k", .string(text))])])) == 1 + 2)
    }

    @Test func `resources and scopes that follow each other have their own answers, and so do requests`() throws {
        func request(_ service: String, _ scope: String) -> [UInt8] {
            tracesRequest(
                [TestSpan(), TestSpan(id: 2)],
                resource: [("service.name", .string(service))],
                scope: scope
            )
        }
        let text = #"{"all":[{"service":"a"},{"scope":"s"}]}"#
        var matcher = ConditionMatcher([try condition(text)])
        for (order, expected) in [
            ([("a", "s"), ("a", "t"), ("b", "s"), ("a", "s")], [true, true, false, false, false, false, true, true]),
            ([("b", "s"), ("a", "s")], [false, false, true, true]),
        ] {
            let batch = try SpanBatch(order.flatMap { request($0.0, $0.1) })
            matcher.begin()
            #expect(matcher.steps == 0)
            #expect(batch.spans.indices.map { matcher.matches(0, $0, in: batch, mapped: nil) } == expected)
        }
    }

    @Test func `the last of attributes with the same key counts, and keys of the span before do not`() throws {
        var first = TestSpan()
        first.attributes = [("a", 1), ("a", 2), ("b", 3)]
        var second = TestSpan(id: 2)
        second.attributes = [("b", 4)]
        let batch = try SpanBatch(tracesRequest([first, second, TestSpan(id: 3)]))
        var matcher = ConditionMatcher([
            try condition(#"{"attribute":"a","equals":2}"#), try condition(#"{"attribute":"b","exists":true}"#),
        ])
        let found = [0, 1, 2, 1, 0].map { span in
            [0, 1].map { matcher.matches($0, span, in: batch, mapped: nil) }
        }
        #expect(found == [[true, true], [false, true], [false, false], [false, true], [true, true]])
    }
}
