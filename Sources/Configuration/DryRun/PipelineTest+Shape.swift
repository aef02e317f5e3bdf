import Basics
import OTLP
import Settings

extension Shape<PipelineTest> {
    static let test = Shape(
        "A request and what is to become of it, for `millrace test`; `run` does not look at it.",
        Settings(),
        [
            Field("name", \.name, .text, "What the report calls the test.", required: true),
            Field("pipeline", optional: \.pipeline, .text, "The pipeline to test, where the file has several."),
            Field("headers", \.headers, .map(.headerName, to: .text), "Headers of the request."),
            Field(
                "identity",
                optional: \.identity,
                .text,
                "The member that sends the request; its `experiments` bind. Without it, a client without a name."
            ),
            Field("input", optional: \.input, .otlpBody, "The request, in OTLP/JSON."),
            Field(
                "input_file",
                optional: \.inputFile,
                .text,
                "In place of `input`: a file, from the pipeline file's folder on; OTLP in JSON or protobuf, also gzipped."
            ),
            Field(
                "requests",
                optional: \.requests,
                .array(of: .testRequest),
                "In place of `input`: several requests of one client, for pipelines that wait for whole traces."
            ),
            Field("expect", \.expect, .group(.expectation), "What is to become of the request.", required: true),
        ],
        check: { test, group, context in
            let given = ["input", "input_file", "requests"].count { group[$0] != nil }
            guard given != 1 else { return }
            let what = "one of \"input\", \"input_file\" and \"requests\" is needed, and only one"
            context.report(what, at: group.offset)
        }
    )
}

extension Shape<TestRequest> {
    static let testRequest = Shape(
        "One of several requests of a test, in the order in which they come.",
        Settings(),
        [
            Field("signal", \.signal, .choice(["traces": .traces, "logs": .logs]), "What it carries."),
            Field(
                "after",
                \.after,
                .duration(.zero ... .seconds(7 * 86400)),
                "How long after the one before it comes; no test waits for that."
            ),
            Field("headers", \.headers, .map(.headerName, to: .text), "Headers of the request."),
            Field("input", optional: \.input, .anyJSON, "The request, in OTLP/JSON."),
            Field(
                "input_file",
                optional: \.inputFile,
                .text,
                "In place of `input`: a file, from the pipeline file's folder on; OTLP in JSON or protobuf, also gzipped."
            ),
        ],
        check: { request, group, context in
            guard (group["input"] == nil) == (group["input_file"] == nil) else { return }
            context.report("one of \"input\" and \"input_file\" is needed, and only one", at: group.offset)
        }
    )
}

extension Shape<TestExpectation> {
    static let expectation = Shape(
        "What a test expects of its request.",
        Settings(),
        [
            Field(
                "spans",
                \.spans,
                .array(of: .expectedSpan),
                "Spans that must be there, in any order; spans that are not named may be anything."
            ),
            Field("kept", optional: \.kept, .integer(0...1_000_000), "How many spans stay."),
            Field(
                "refused",
                \.refused,
                .flag,
                "Whether the request is answered 403, because `identity` may not write where a span goes."
            ),
        ],
        check: { expectation, group, context in
            if group.members.isEmpty {
                context.report("nothing is expected; allowed: spans, kept, refused", at: group.offset)
            }
        }
    )
}

extension Shape<ExpectedSpan> {
    static let expectedSpan = Shape(
        "What a test expects of one span. Of several spans of the name one must fit.",
        Settings(),
        [
            Field("name", optional: \.name, .text, "The span's name; it or `span_id` is needed."),
            Field("span_id", optional: \.spanID, .spanID, "The span's id."),
            Field(
                "attributes",
                \.attributes,
                .map(.text, to: .anyJSON),
                "Values that attributes have in the end; objects and arrays are compared whole, also with JSON in a text."
            ),
            Field("absent", \.absent, .list(of: .text), "Keys that no attribute has in the end."),
            Field("events", \.events, .list(of: .text), "Names of events that are there in the end."),
            Field("experiment", optional: \.experiment, .text, "Name or id of the MLflow experiment."),
            Field("dropped", \.dropped, .expectedEnd, "Whether the span is taken out, or for what reason."),
        ],
        check: { span, group, context in
            if group["name"] == nil && group["span_id"] == nil {
                context.report("\"name\" or \"span_id\" is needed", at: group.offset)
            }
        }
    )
}

extension Kind<JSONNode> {
    /// A request of spans in OTLP/JSON.
    static let otlpBody = Kind(
        allowed: "an OTLP request of spans",
        brief: "OTLP/JSON",
        schema: ["type": "object", "required": ["resourceSpans"]],
        read: { node, context in
            guard let spans = node["resourceSpans"] ?? node["resource_spans"], spans.elements != nil else {
                context.refuse(node, allowed: "an OTLP request of spans: {\"resourceSpans\": […]}")
                return nil
            }
            do throws(WireError) {
                _ = try SpanBatch(json: Array(JSON(node).lineText.utf8))
            } catch {
                let reason = if case .malformed(_, let reason) = error { reason } else { "\(error)" }
                context.report("no OTLP request of spans: \(reason)", at: node.offset)
            }
            return node
        },
        write: { JSON($0) }
    )
}

extension Kind<String> {
    /// The id of a span, in lower case.
    static let spanID = Kind.parsed(
        "16 hexadecimal digits",
        brief: "16 hexadecimal digits",
        schema: ["type": "string", "pattern": #"^[0-9A-Fa-f]{16}$|\$\{"#],
        parse: { $0.utf8.count == 16 && $0.utf8.allSatisfy { $0.hexDigit != nil } ? $0.lowercased() : nil },
        format: { $0 }
    )
}

extension Kind<ExpectedEnd> {
    /// Whether a span is taken out, or for what reason.
    static let expectedEnd: Kind = {
        let words = Removal.allCases.map(\.word)
        let allowed = "true, false, " + words.map(quoted).joined(separator: ", ")
        return Kind(
            allowed: allowed,
            brief: (["true", "false"] + words).map { "`\($0)`" }.joined(separator: " \\| "),
            schema: ["anyOf": [["type": "boolean"], ["enum": .words(words)]]],
            read: { node, context in
                if let isDropped = node.bool { return isDropped ? .dropped(nil) : .kept }
                if let removal = Removal.allCases.first(where: { $0.word == node.string }) { return .dropped(removal) }
                context.refuse(node, allowed: allowed, instead: node.string.flatMap { nearest(to: $0, among: words) })
                return nil
            },
            write: { end in
                switch end {
                case .kept: false
                case .dropped(nil): true
                case .dropped(let removal?): .text(removal.word)
                }
            }
        )
    }()
}
