import Basics
import Journal
import OTLP
import Pipeline
import Synchronization
import TestKit
import Testing

@Suite struct `Experiments that a member may write to` {
    @Test(arguments: [
        (["team-a"], Route.experimentName("team-a"), true), (["team-a"], .experimentName("team-b"), false),
        (["team-a"], .experimentName("Team-A"), false), (["team-a"], .experimentName("team-a "), false),
        (["7"], .experimentID("7"), true), (["7"], .experimentName("7"), false), (["7"], .experimentID("07"), false),
        (["team-*"], .experimentName("team-"), true), (["team-*"], .experimentName("other-team-a"), false),
        (["1?"], .experimentID("12"), true), (["*"], .experimentID("12"), true), (["*"], .none, false),
        (["a", "b"], .experimentName("b"), true), (["Default"], .experimentID("0"), false), ([], .none, false),
        // Another Unicode form of the name is another experiment.
        (["Caf\u{E9}"], .experimentName("Cafe\u{301}"), false), (["Caf\u{E9}"], .experimentName("Caf\u{E9}"), true),
    ])
    func `are compared as they are written`(entries: [String], route: Route, isAllowed: Bool) {
        #expect(ExperimentList(entries).contains(route) == isAllowed)
        #expect(Identity("ann", experiments: ExperimentList(entries)).mayWrite(to: route) == isAllowed)
        #expect(Identity("ann").mayWrite(to: route))
    }
}

/// Sends each trace to an experiment of its own: the first to the first, and so on.
private struct InOrder: SpanProcessor {
    let experiments: [String]

    func process(_ work: inout SpanWork) {
        var traces: [TraceID] = []
        for (index, span) in work.batch.spans.enumerated() {
            if !traces.contains(span.traceID) { traces.append(span.traceID) }
            let place = traces.firstIndex(of: span.traceID) ?? 0
            work.assign(.experimentName(experiments[place % experiments.count]), to: index)
        }
    }
}

@Suite struct `Members whose names differ only in their Unicode form` {
    private static let names = ["caf\u{E9}", "cafe\u{301}"]

    @Test func `are two everywhere`() async throws {
        #expect(Set(Self.names.map(Sender.identity)).count == 2)
        #expect(Identity(Self.names[0]) != Identity(Self.names[1]))
        #expect(ExperimentList([Self.names[0]]) != ExperimentList([Self.names[1]]))
        let bench = try PipelineBench(to: ScriptedExporter())
        for name in Self.names {
            #expect(await bench.send(tracesRequest([TestSpan()]), identity: Identity(name)) == .accepted)
        }
        let metrics = bench.meters.prometheusText()
        let series = metrics.split(separator: "\n").filter {
            $0.hasPrefix("millrace_receiver_identity_accepted_spans_total")
        }
        #expect(series.count == 2 && series.allSatisfy { $0.hasSuffix("} 1") })
    }
}

/// Notes how often what it took for a request is given back.
private final class Taking: SpanProcessor {
    private let count = Atomic<Int>(0)

    var givenBack: Int { count.load(ordering: .relaxed) }

    func process(_ work: inout SpanWork) {
        work.whenRefused.append { [self] in count.add(1, ordering: .relaxed) }
    }
}

@Suite struct `A request of a member with experiments` {
    private static let ann = Identity("ann", experiments: ExperimentList(["team-a"]))
    private static let two = tracesRequest([TestSpan(trace: 1), TestSpan(id: 2, trace: 2)])

    private func bench(_ processors: [any SpanProcessor], unrouted: Route? = nil) throws -> PipelineBench {
        try PipelineBench(processors: processors, unrouted: unrouted, to: ScriptedExporter())
    }

    @Test func `is taken where all of it goes to one of them`() async throws {
        let bench = try bench([InOrder(experiments: ["team-a"])])
        #expect(await bench.send(Self.two, identity: Self.ann) == .accepted)
        #expect(bench.reader.account.accepted == 2)
        let metrics = bench.meters.prometheusText()
        let labels = #"{identity="ann",receiver="otlp",signal="traces"}"#
        #expect(metrics.contains("millrace_receiver_identity_accepted_spans_total\(labels) 2\n"))
    }

    @Test func `is refused whole where one span goes elsewhere, and nothing is stored`() async throws {
        let bench = try bench([InOrder(experiments: ["team-a", "team-b"])])
        let message = #"experiment "team-b" is not for "ann"; allowed: team-a"#
        #expect(await bench.send(Self.two, identity: Self.ann) == .forbidden(message))
        #expect(bench.reader.account.accepted == 0)
        let metrics = bench.meters.prometheusText()
        let labels = #"{identity="ann",reason="forbidden",receiver="otlp",signal="traces"}"#
        #expect(metrics.contains("millrace_receiver_identity_refused_spans_total\(labels) 2\n"))
        #expect(metrics.contains(/millrace_receiver_refused_spans_total\{.*reason="forbidden".*\} 2\n/))
        // Others may.
        #expect(await bench.send(Self.two, identity: Identity("bob")) == .accepted)
        #expect(await bench.send(Self.two) == .accepted)
    }

    @Test func `gives back what processors took where it is refused, by whom ever, and keeps it where it is taken`()
        async throws
    {
        let taking = Taking()
        let bench = try bench([taking, InOrder(experiments: ["team-b"])])
        #expect(await bench.send(Self.two, identity: Identity("bob")) == .accepted)
        #expect(taking.givenBack == 0)
        guard case .forbidden = await bench.send(Self.two, identity: Self.ann) else { return #expect(Bool(false)) }
        #expect(taking.givenBack == 1)
        let large = tracesRequest([TestSpan("large", ["text": .string(String(repeating: "x", count: 3 << 20))])])
        let small = try PipelineBench(processors: [taking], to: ScriptedExporter(), journalMax: .mebibytes(2))
        guard case .tooLarge = await small.send(large) else { return #expect(Bool(false)) }
        #expect(taking.givenBack == 2)
    }

    @Test func `needs the place of unrouted spans to be one of them, where there is such a place`() async throws {
        let mlflow = try bench([], unrouted: .experimentID("0"))
        let message = #"experiment id 0 is not for "ann"; allowed: team-a"#
        #expect(await mlflow.send(Self.two, identity: Self.ann) == .forbidden(message))
        #expect(await mlflow.send(Self.two, identity: Identity("bob", experiments: ExperimentList(["0"]))) == .accepted)
        let archive = try bench([])
        #expect(await archive.send(Self.two, identity: Self.ann) == .accepted)
    }

    @Test func `counts under its name, of which so many are told apart`() async throws {
        let bench = try bench([])
        for number in 0..<IdentityLabels.identitiesMax + 10 {
            _ = await bench.send(Self.two, identity: Identity("member-\(number)"))
        }
        let lines = bench.meters.prometheusText().split(separator: "\n").filter {
            $0.hasPrefix("millrace_receiver_identity_accepted_spans_total")
        }
        #expect(lines.count == IdentityLabels.identitiesMax + 1)
        let others = #"{overflow="true",receiver="otlp",signal="traces"} 20"#
        #expect(lines.contains("millrace_receiver_identity_accepted_spans_total\(others)"))
    }
}
