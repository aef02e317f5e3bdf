import Testing

@testable import Configuration

/// What a file is told whose `tests` cannot be used.
@Suite struct BrokenTestsTests {
    private static let input = #""input": {"resourceSpans": []}"#

    @Test(arguments: [
        ("{}", #"f.json:5:10: /tests: found an object; allowed: an array of objects"#),
        ("[5]", #"f.json:5:11: /tests/0: found the number 5; allowed: an object of settings"#),
        (
            #"[{"name": "a", \#(input), "expect": {"kept": 0}, "expected": {}}]"#,
            #"f.json:5:80: /tests/0/expected: unknown setting "expected"; allowed: name, pipeline, headers, identity, input, input_file, requests, expect; did you mean "expect"?"#
        ),
        (
            #"[{"name": "a", \#(input)}]"#,
            #"f.json:5:11: /tests/0: "expect" is missing; allowed: an object"#
        ),
        (
            #"[{"name": "a", "expect": {"kept": 0}}]"#,
            #"f.json:5:11: /tests/0: one of "input", "input_file" and "requests" is needed, and only one"#
        ),
        (
            #"[{"name": "a", \#(input), "input_file": "x.pb", "expect": {"kept": 0}}]"#,
            #"f.json:5:11: /tests/0: one of "input", "input_file" and "requests" is needed, and only one"#
        ),
        (
            #"[{"name": "a", "input": {"spans": []}, "expect": {"kept": 0}}]"#,
            #"f.json:5:34: /tests/0/input: found an object; allowed: an OTLP request of spans: {"resourceSpans": […]}"#
        ),
        (
            #"[{"name": "a", "input": {"resourceSpans": [7]}, "expect": {"kept": 0}}]"#,
            #"f.json:5:34: /tests/0/input: no OTLP request of spans: resourceSpans has another type than OTLP gives it"#
        ),
        (
            #"[{"name": "a", \#(input), "expect": {}}]"#,
            #"f.json:5:67: /tests/0/expect: nothing is expected; allowed: spans, kept, refused"#
        ),
        (
            #"[{"name": "a", \#(input), "expect": {"kept": -1}}]"#,
            #"f.json:5:76: /tests/0/expect/kept: found the number -1; allowed: a whole number from 0 to 1000000"#
        ),
        (
            #"[{"name": "a", "pipeline": "trace", \#(input), "expect": {"kept": 0}}]"#,
            #"f.json:5:37: /tests/0/pipeline: "trace" is no pipeline of this file; allowed: traces; did you mean "traces"?"#
        ),
        (
            #"[{"name": "a", \#(input), "headers": {"a b": "c"}, "expect": {"kept": 0}}]"#,
            #"f.json:5:69: /tests/0/headers/a b: found "a b"; allowed: the name of an HTTP header"#
        ),
    ])
    func `a wrong test is named with its place and what is allowed`(tests: String, line: String) {
        #expect(problems(of: file(["tests": tests])) == [line])
    }

    @Test(arguments: [
        (#"{"attributes": {}}"#, #"/tests/0/expect/spans/0: "name" or "span_id" is needed"#),
        (#"{"name": ""}"#, #"/tests/0/expect/spans/0/name: found ""; allowed: a string that is not empty"#),
        (
            #"{"span_id": "12"}"#,
            #"/tests/0/expect/spans/0/span_id: found "12"; allowed: 16 hexadecimal digits"#
        ),
        (
            #"{"name": "a", "dropped": "sampled"}"#,
            #"/tests/0/expect/spans/0/dropped: found "sampled"; allowed: true, false, "invalid", "filtered", "sampled_out""#
        ),
        (
            #"{"name": "a", "attribute": {}}"#,
            #"/tests/0/expect/spans/0/attribute: unknown setting "attribute"; allowed: name, span_id, attributes, absent, events, experiment, dropped; did you mean "attributes"?"#
        ),
        (
            #"{"name": "a", "events": ["b", "b"]}"#,
            #"/tests/0/expect/spans/0/events/1: "b" stands here twice"#
        ),
    ])
    func `a wrong expectation is named with its place and what is allowed`(span: String, line: String) throws {
        let lines = problems(
            of: file(["tests": #"[{"name": "a", \#(Self.input), "expect": {"spans": [\#(span)]}}]"#])
        )
        #expect(lines.count == 1)
        #expect(lines.first?.hasSuffix(": " + line) == true, "\(lines)")
    }

    @Test func `a file with several pipelines has tests that name theirs`() {
        let text = file([
            "pipelines":
                #"{"a": {"receivers": ["in"], "exporters": ["out"]}, "b": {"receivers": ["in"], "exporters": ["out"]}}"#,
            "tests": #"[{"name": "t", \#(Self.input), "expect": {"kept": 0}}]"#,
        ])
        #expect(problems(of: text) == [#"f.json:5:11: /tests/0: "pipeline" is missing; allowed: a, b"#])
    }
}
