import Basics
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Conditions
@testable import Processors

struct ConditionTests {
    private func sample() throws -> SpanWorkBox {
        var span = TestSpan(
            "GET /cart",
            id: 2,
            parent: 1,
            [
                "http.status": 503, "cart.total": 12.5, "vip": true, "user": "Zoë", "tags": ["red", "green"],
                "gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 2, "mlflow.spanType": "TOOL",
            ]
        )
        span.status = 2
        span.kind = 3
        span.events = [("exception", [])]
        return SpanWorkBox(work: try work(span, resource: ["service.name": "shop", "host": "h1"]))
    }

    private struct SpanWorkBox {
        let work: SpanWork
        func matches(_ text: String) throws -> Bool {
            var matcher: ConditionMatcher? = ConditionMatcher([try condition(text)])
            return work.satisfies(&matcher, 0)
        }
    }

    @Test(
        arguments: [
            // Attributes and the operators.
            (#"{"attribute":"http.status","equals":503}"#, true),
            (#"{"attribute":"http.status","equals":"503"}"#, false),
            (#"{"attribute":"vip","equals":true}"#, true), (#"{"attribute":"user","equals":"Zoë"}"#, true),
            (#"{"attribute":"user","equals":"Zo"}"#, false), (#"{"attribute":"http.status","in":[500,503]}"#, true),
            (#"{"attribute":"user","in":["a","b"]}"#, false), (#"{"attribute":"user","matches":"^Z"}"#, true),
            (#"{"attribute":"user","matches":"^z"}"#, false), (#"{"attribute":"user","matches":"(?i)^z.ë$"}"#, true),
            (#"{"attribute":"user","glob":"Z*"}"#, true), (#"{"attribute":"tags","matches":"^gr(een|ay)$"}"#, true),
            (#"{"attribute":"http.status","over":499}"#, true), (#"{"attribute":"http.status","over":503}"#, false),
            (#"{"attribute":"http.status","over":499,"under":503}"#, false),
            (#"{"attribute":"cart.total","under":13}"#, true),
            (#"{"attribute":"user","over":1}"#, false), (#"{"attribute":"user","exists":true}"#, true),
            (#"{"attribute":"user","exists":false}"#, false), (#"{"attribute":"nobody","exists":false}"#, true),
            (#"{"attribute":"nobody","equals":""}"#, false), (#"{"attribute":"tags","equals":"green"}"#, true),
            (#"{"attribute":"tags","equals":"blue"}"#, false),
            // Everything else of a span.
            (#"{"resource":"host","equals":"h1"}"#, true), (#"{"service":"shop"}"#, true),
            (#"{"service":{"glob":"s*"}}"#, true),
            (#"{"scope":"tests.scope"}"#, true), (#"{"name":{"matches":"/cart$"}}"#, true), (#"{"name":"GET"}"#, false),
            (#"{"event":"exception"}"#, true), (#"{"event":"other"}"#, false), (#"{"kind":"client"}"#, true),
            (#"{"kind":{"in":["server","client"]}}"#, true), (#"{"status":"error"}"#, true),
            (#"{"status":"ok"}"#, false),
            (#"{"span_type":"TOOL"}"#, true), (#"{"duration":{"over":"999ns"}}"#, true),
            (#"{"duration":{"over":"1us"}}"#, false), (#"{"duration":{"equals":"1us"}}"#, true),
            (#"{"tokens":{"over":41}}"#, true), (#"{"tokens":42}"#, true),
            (#"{"tokens":{"under":42}}"#, false),
            (#"{"root":true}"#, false), (#"{"root":false}"#, true),
            // Put together.
            (#"{"all":[{"status":"error"},{"kind":"client"}]}"#, true),
            (#"{"all":[{"status":"error"},{"kind":"server"}]}"#, false),
            (#"{"any":[{"status":"ok"},{"kind":"client"}]}"#, true),
            (#"{"any":[{"status":"ok"},{"kind":"server"}]}"#, false),
            (#"{"not":{"status":"ok"}}"#, true), (#"{"not":{"not":{"status":"ok"}}}"#, false),
        ]
    )
    func `a span satisfies a condition or does not`(text: String, expected: Bool) throws {
        #expect(try sample().matches(text) == expected)
    }

    @Test func `type and tokens are those that mapping decided, where it ran`() throws {
        var work = try work(TestSpan(id: 2, parent: 1, ["mlflow.spanType": "TOOL", "gen_ai.usage.input_tokens": 5]))
        work.mapped = MappedSpans(count: 1)
        work.mapped.setType(named: "AGENT", of: 0)
        let box = SpanWorkBox(work: work)
        #expect(try box.matches(#"{"span_type":"AGENT"}"#))
        #expect(try !box.matches(#"{"tokens":{"over":1}}"#))
    }

    @Test(
        arguments: [
            (#"5"#, "a condition is an object", ""),
            (#"{}"#, "a condition has one of attribute, resource", ""),
            (#"{"status":"error","kind":"client"}"#, "a condition has one of", ""),
            (#"{"colour":"red"}"#, "a condition has one of", ""),
            (#"{"attribute":"a"}"#, "one of equals, in, matches", ""),
            (#"{"attribute":"a","equal":1}"#, "\"equal\" is not known here", ""),
            (#"{"attribute":5,"equals":1}"#, "a string that is not empty", "/attribute"),
            (#"{"attribute":"a","in":5}"#, "an array of values", "/in"),
            (
                #"{"attribute":"a","matches":"("}"#, "a regular expression in RE2's syntax is expected: missing ): (",
                "/matches"
            ),
            (
                #"{"attribute":"a","matches":"(a)\\1"}"#, "expected: invalid escape sequence: \\1",
                "/matches"
            ),
            (#"{"attribute":"a","matches":"(a|b){500}"}"#, "instructions, at most 250 are allowed", "/matches"),
            (#"{"attribute":"a","over":"1"}"#, "a number is expected", "/over"),
            (#"{"status":"bad"}"#, "one of unset, ok, error", "/status"),
            (#"{"kind":{"equals":"alien"}}"#, "one of unspecified, internal", "/kind/equals"),
            (#"{"duration":{"over":5}}"#, "a duration with a unit", "/duration/over"),
            (#"{"duration":"5s"}"#, #"{"over": "2s"}"#, "/duration"),
            (#"{"duration":{"equals":2}}"#, "a duration with a unit", "/duration/equals"),
            (#"{"duration":{"matches":"2s"}}"#, "a number has no text", "/duration/matches"),
            (#"{"tokens":"5"}"#, "a number is expected", "/tokens"),
            (#"{"tokens":{"glob":"5*"}}"#, "a number has no text", "/tokens/glob"),
            (#"{"name":5}"#, "a string is expected", "/name"),
            (#"{"event":{"in":["a",1]}}"#, "a string is expected", "/event/in/1"),
            (#"{"service":{"over":1}}"#, "a text is no number", "/service/over"),
            (#"{"scope":true}"#, "a string is expected", "/scope"),
            (#"{"span_type":{"under":3}}"#, "a text is no number", "/span_type/under"),
            (#"{"metric":5}"#, "a string is expected", "/metric"),
            (#"{"kind":{"over":3}}"#, "a text is no number", "/kind/over"),
            (#"{"root":"yes"}"#, "true or false", "/root"),
            (#"{"all":[]}"#, "an array of conditions", "/all"),
            (#"{"all":[{"status":"ok"},{"not":{"x":1}}]}"#, "a condition has one of", "/all/1/not"),
            (
                #"{"severity":"loud"}"#, "one of trace, debug, info, warn, error, fatal or a number from 1 to 24",
                "/severity"
            ),
            (#"{"severity":{"over":25}}"#, "or a number from 1 to 24 is expected", "/severity/over"),
            (#"{"severity":{"glob":"w*"}}"#, "a severity has no text", "/severity/glob"),
            (#"{"cost":{"over":1}}"#, "\"cost\" asks about a whole trace, which only tail_sample sees", "/cost"),
            (#"{"any":[{"spans":{"over":1}}]}"#, "\"spans\" asks about a whole trace", "/any/0/spans"),
        ]
    )
    func `a wrong condition is named with its place`(text: String, message: String, pointer: String) throws {
        let error = #expect(throws: DocumentProblems.self) { try condition(text) }
        let problem = try #require(error?.list.first)
        #expect(problem.message.contains(message), "\(problem.message)")
        #expect(problem.pointer == pointer)
    }

    @Test(arguments: ConditionSubject.all.map(\.example))
    func `the examples of the reference are conditions`(text: String) throws {
        _ = try condition(text)
    }

    @Test func `the offset of a problem points into the text`() throws {
        let text = #"{"any": [{"status": "bad"}, {"kind": 7}]}"#
        let error = #expect(throws: DocumentProblems.self) { try condition(text) }
        #expect(error?.list.map(\.offset) == [20, 37])
    }

    @Test func `conditions nest so far and no further`() throws {
        let deep = String(repeating: #"{"not":"#, count: 40) + #"{"status":"ok"}"# + String(repeating: "}", count: 40)
        let error = #expect(throws: DocumentProblems.self) { try condition(deep) }
        #expect(error?.list.first?.message.contains("nested deeper") == true)
    }
}
