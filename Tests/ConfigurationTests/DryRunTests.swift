import Basics
import MLflow
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Configuration

/// What a dry run finds out about spans, and how it says it.
@Suite struct DryRunTests {
    private static let members = [
        "processors": #"""
        {"map": {"type": "mlflow_map"}, "route": {"type": "mlflow_experiment", "map": {"sh*": "Shop"}},
         "share": {"type": "sample", "ratio": 0.5, "keep": {"status": "error"}}}
        """#,
        "pipelines":
            #"{"traces": {"receivers": ["in"], "processors": ["map", "route", "share"], "exporters": ["out"]}}"#,
    ]

    private func dryRun(
        _ spans: TestSpan...,
        with members: [String: String] = members,
        headers: [HTTPHeader] = [],
        from identity: Identity? = nil
    ) throws -> DryRunResult {
        let file = try PipelineFile(text: Array(file(members).utf8), name: "f.json", environment: .empty)
        let run = try #require(try file.dryRun(of: "traces"))
        return run.run([DryRunRequest(batch: try SpanBatch(tracesRequest(spans)), headers: headers)], from: identity)
    }

    @Test func `a request that its member may not send is answered 403 whole`() throws {
        let ann = Identity("ann", experiments: ExperimentList(["team-a"]))
        let request = try dryRun(TestSpan(trace: Self.kept), TestSpan(id: 9, trace: Self.sampledOut), from: ann)
        #expect(request.kept == 0)
        #expect(request.text.contains("  refused with its request\n"))
        let reason = #"experiment "Shop" is not for "ann"; allowed: team-a"#
        #expect(
            request.text.hasSuffix("\npipeline traces: 2 spans, answered 403: \(reason); sampled_out by share: 1\n")
        )
        #expect(DryRunResult.json([request]).contains(#""refused": "experiment \"Shop\" is not"#))
        // What is sampled out goes nowhere, so it may have any experiment.
        #expect(try dryRun(TestSpan(trace: Self.sampledOut), from: ann).refusal == nil)
    }

    /// The trace's share is decided by the last 56 bits of its id.
    private static let kept: UInt64 = 0xFF_FFFF_FFFF_FFFF
    private static let sampledOut: UInt64 = 1

    @Test func `a span that stays has a block that says what each processor did`() throws {
        let span = TestSpan("chat", id: 0xA, trace: Self.kept, ["gen_ai.operation.name": "chat"])
        let text = try dryRun(span).text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines[0] == "chat  span 000000000000000a  trace 00000000…  service shop")
        #expect(lines[1] == "  conventions: otel_genai")
        #expect(lines[2] == "  map (mlflow_map)")
        #expect(lines[3].hasPrefix("    mlflow.spanType = \"CHAT_MODEL\""))
        #expect(lines[3].contains("   otel_genai.operation"))
        #expect(lines.contains("    experiment \"Shop\"   from resource.service.name \"shop\" by map"))
        #expect(lines.contains("    kept   its trace is in the share of 0.5"))
        #expect(lines.contains("  delivered to out"))
        #expect(text.hasSuffix("\n\npipeline traces: 1 span, 1 to out\n"))
    }

    @Test func `a span that is sampled out has the values it had before`() throws {
        let span = TestSpan("chat", trace: Self.sampledOut, ["gen_ai.operation.name": "chat"])
        let request = try dryRun(span)
        #expect(request.spans[0].removal?.reason == .sampledOut)
        #expect(request.spans[0].removal?.processor == "share")
        #expect(request.spans[0].view["mlflow.spanType"] == "CHAT_MODEL")
        #expect(request.kept == 0)
        #expect(request.text.contains("  dropped by share: sampled_out\n"))
        #expect(request.text.contains("mlflow.spanType = \"CHAT_MODEL\""))
        #expect(request.text.hasSuffix("pipeline traces: 1 span, 0 to out; sampled_out by share: 1\n"))
    }

    @Test func `values belong to their spans, whatever stays and wherever it goes`() throws {
        let members = Self.members.merging([
            "processors": #"""
            {"map": {"type": "mlflow_map"}, "route": {"type": "mlflow_experiment", "from": ["attribute.team"]},
             "share": {"type": "sample", "ratio": 0.5}}
            """#
        ]) { $1 }
        let traces = [Self.kept, Self.sampledOut, Self.kept - 1, Self.kept - 2, Self.sampledOut + 1, Self.kept - 3]
        let spans = traces.enumerated().map { index, trace in
            TestSpan(
                "span \(index)",
                id: UInt64(index + 1),
                trace: trace,
                ["team": .string(index % 2 == 0 ? "red" : "blue"), "number": .int(Int64(index))]
            )
        }
        let file = try PipelineFile(text: Array(file(members).utf8), name: "f.json", environment: .empty)
        let run = try #require(try file.dryRun(of: "traces"))
        let request = run.run([DryRunRequest(batch: try SpanBatch(tracesRequest(spans)))])
        #expect(request.spans.map { $0.view["number"] } == (0..<6).map { JSON.integer($0) })
        #expect(request.spans.map(\.route.experiment) == ["red", "blue", "red", "blue", "red", "blue"])
        #expect(request.spans.map { $0.removal == nil } == [true, false, true, true, false, true])
    }

    @Test func `an invalid span says so and is shown to no processor`() throws {
        let request = try dryRun(TestSpan("broken", id: 0), TestSpan("whole", trace: Self.kept))
        #expect(request.spans[0].flaw == .spanIDZero)
        #expect(request.spans[0].steps.isEmpty)
        #expect(request.text.contains("\n  invalid: span_id is all zero; refused before any processor\n"))
        #expect(request.text.hasSuffix("pipeline traces: 2 spans, 1 to out; invalid: 1\n"))
    }

    @Test func `the request's headers are those it came with`() throws {
        let header = HTTPHeader("x-mlflow-experiment-id", "7")
        let request = try dryRun(TestSpan(trace: Self.kept), headers: [header])
        #expect(request.spans[0].route == .experimentID("7"))
        #expect(request.text.contains("    experiment id 7   from header\n"))
    }

    @Test func `a span kept by the condition says so`() throws {
        var span = TestSpan("failed", trace: Self.sampledOut)
        span.status = 2
        #expect(try dryRun(span).text.contains("    kept   the keep condition holds for it or its trace\n"))
    }

    @Test func `a pipeline without processors delivers`() throws {
        let text = try dryRun(TestSpan("plain"), with: [:]).text
        #expect(text.hasPrefix("plain  span 0000000000000001  trace 00000000…  service shop\n  delivered to out\n"))
    }

    @Test func `a long value is cut and control characters are taken out`() throws {
        let model = "model\u{1B}[31m" + String(repeating: "x", count: 500)
        let span = TestSpan("chat", trace: Self.kept, ["gen_ai.request.model": .string(model)])
        let text = try dryRun(span).text
        #expect(!text.contains("\u{1B}"))
        #expect(text.split(separator: "\n").allSatisfy { $0.count < 220 })
        #expect(text.contains("xxx…"))
    }

    @Test func `an event that mapping adds is called one`() throws {
        var span = TestSpan("failed", trace: Self.kept)
        span.status = 2
        span.statusMessage = "timeout"
        #expect(try dryRun(span).text.contains(/\n    event exception +status\n/))
    }

    @Test func `every kind of decision reads as a sentence`() throws {
        var request = try dryRun(TestSpan("chat"), with: [:])
        let decisions: [(AttributeDecision.Action, String, [String])] = [
            (.set, "mlflow.spanType", ["gen_ai.operation.name"]), (.repaired, "session.id", []),
            (.removed, "mlflow.spanType", []), (.renamed, "user", ["user.id"]), (.dropped, "", []),
            (.ignored("a rule of otel_genai was first"), "type", ["openinference.span.kind"]),
        ]
        let findings = decisions.map { action, target, sources in
            let rule =
                action == .ignored("a rule of otel_genai was first") ? "openinference.kind" : "otel_genai.operation"
            let decision = AttributeDecision(span: 0, action: action, target: target, rule: rule, sources: sources)
            return DryRunSpan.Finding(finding: .changed(decision), value: nil, isEvent: false)
        }
        var span = request.spans[0]
        span.steps = [.init(processor: "map", type: "mlflow_map", findings: findings)]
        request = DryRunResult(pipeline: "traces", exporters: ["out"], spans: [span], refusal: nil)
        let lines = [
            "  conventions: otel_genai; ignored: openinference",
            "  map (mlflow_map)",
            "    mlflow.spanType           otel_genai.operation, from gen_ai.operation.name",
            "    repaired session.id       otel_genai.operation",
            "    removed mlflow.spanType   otel_genai.operation",
            "    renamed user              otel_genai.operation, from user.id",
            "    dropped the span          otel_genai.operation",
            "    ignored type              openinference.kind, from openinference.span.kind: "
                + "a rule of otel_genai was first",
        ]
        #expect(request.text.contains(lines.joined(separator: "\n")))
    }

    @Test func `JSON holds the same`() throws {
        let span = TestSpan("chat", id: 0xA, trace: Self.sampledOut, ["gen_ai.operation.name": "chat"])
        let node = try JSONNode(parsing: Array(DryRunResult.json([try dryRun(span)]).utf8))
        let pipeline = try #require(node["pipelines"]?.elements?.first)
        #expect(pipeline["pipeline"]?.string == "traces")
        #expect(pipeline["kept"]?.integer == 0)
        let shown = try #require(pipeline["spans"]?.elements?.first)
        #expect(shown["span_id"]?.string == "000000000000000a")
        #expect(shown["dropped"]?.string == "sampled_out")
        #expect(shown["dropped_by"]?.string == "share")
        #expect(shown["experiment"]?.string == "Shop")
        #expect(shown["attributes"]?["mlflow.spanType"]?.string == "CHAT_MODEL")
        let finding = shown["processors"]?.elements?.first?["findings"]?.elements?.first
        #expect(finding?["action"]?.string == "set")
        #expect(finding?["rule"]?.string == "otel_genai.operation")
        #expect(finding?["value"]?.string == "CHAT_MODEL")
    }
}
