import Basics
import Conditions
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Processors

struct MLflowExperimentTests {
    private static let header = HTTPHeader("x-mlflow-experiment-id", "7")

    private func experiment(_ change: (inout MLflowExperimentSettings) -> Void = { _ in }) -> MLflowExperiment {
        var settings = MLflowExperimentSettings()
        change(&settings)
        return MLflowExperiment(name: "route", settings: settings)
    }

    private func route(_ work: SpanWork, by processor: MLflowExperiment) -> [Route] {
        var work = work
        processor.process(&work)
        return work.routeOfSpans()
    }

    @Test func `the header wins over the service, and may give an id`() throws {
        #expect(route(try work(TestSpan(), headers: [Self.header]), by: experiment()) == [.experimentID("7")])
        let named = HTTPHeader("x-mlflow-experiment-id", " my tests ")
        #expect(route(try work(TestSpan(), headers: [named]), by: experiment()) == [.experimentName("my tests")])
        let empty = HTTPHeader("x-mlflow-experiment-id", " ")
        #expect(route(try work(TestSpan(), headers: [empty]), by: experiment()) == [.experimentName("shop")])
    }

    @Test func `a service named by digits is a name`() throws {
        #expect(
            route(try work(TestSpan(), resource: ["service.name": "12"]), by: experiment()) == [.experimentName("12")]
        )
        #expect(
            route(try work(TestSpan(), resource: ["service.name": "unknown_service:py"]), by: experiment())
                == [.experimentName("unknown_service:py")]
        )
    }

    @Test(arguments: [("Default", Route.experimentName("Default")), ("0", .experimentID("0"))])
    func `without any value the default is it`(name: String, expected: Route) throws {
        let processor = experiment { $0.defaultExperiment = name }
        #expect(route(try work(TestSpan(), resource: [:]), by: processor) == [expected])
        #expect(route(try work(TestSpan(), resource: ["service.name": ""]), by: processor) == [expected])
    }

    @Test func `each source is asked in its order`() throws {
        let processor = experiment { $0.from = ["attribute.team", "resource.tenant", "auth"] }
        let span = TestSpan("root", ["team": "red"])
        #expect(route(try work(span, resource: ["tenant": "t"]), by: processor) == [.experimentName("red")])
        #expect(
            route(try work(TestSpan(trace: 8), resource: ["tenant": "t"]), by: processor) == [.experimentName("t")]
        )
        #expect(
            route(try work(TestSpan(trace: 9), resource: ["tenant": 5]), by: processor) == [.experimentName("5")]
        )
        #expect(
            route(try work(TestSpan(trace: 10), resource: [:], identity: "ann"), by: processor)
                == [.experimentName("ann")]
        )
    }

    @Test(
        arguments: [
            ("shop", Route.experimentName("Sales")), ("shop-eu", .experimentID("42")), ("shop-us", .experimentID("42")),
            ("other", .experimentName("other")),
        ]
    )
    func `values are mapped exactly first, then by the first glob`(service: String, expected: Route) throws {
        let processor = experiment { $0.map = [("shop*", "Glob"), ("shop", "Sales")] }
        let ids = experiment { $0.map = [("shop-*", "42"), ("shop*", "Late"), ("shop", "Sales")] }
        #expect(route(try work(TestSpan(), resource: ["service.name": .string(service)]), by: ids) == [expected])
        #expect(route(try work(TestSpan()), by: processor) == [.experimentName("Sales")])
    }

    @Test func `a trace keeps the route of its first request`() throws {
        let processor = experiment()
        #expect(route(try work(TestSpan(trace: 5)), by: processor) == [.experimentName("shop")])
        let later = try work(TestSpan(trace: 5), TestSpan(trace: 6), resource: ["service.name": "billing"])
        #expect(route(later, by: processor) == [.experimentName("shop"), .experimentName("billing")])
    }

    @Test func `within a request the root decides`() throws {
        let processor = experiment { $0.from = ["attribute.team"] }
        let spans = try work(
            TestSpan("child", id: 2, parent: 1, ["team": "child's"]),
            TestSpan("root", id: 1, ["team": "root's"])
        )
        #expect(route(spans, by: processor) == [.experimentName("root's"), .experimentName("root's")])
    }

    @Test func `one identity's route says nothing about another's trace`() throws {
        let processor = experiment()
        #expect(
            route(try work(TestSpan(), resource: ["service.name": "a"], identity: "ann"), by: processor)
                == [.experimentName("a")]
        )
        #expect(
            route(try work(TestSpan(), resource: ["service.name": "b"], identity: "bob"), by: processor)
                == [.experimentName("b")]
        )
    }

    @Test func `what a member may not write to is not remembered`() throws {
        let processor = experiment { $0.maxRoutes = 3 }
        func route(_ service: String, _ allowed: [String]) throws -> [Route] {
            var work = try work(TestSpan(), resource: ["service.name": .string(service)])
            work = SpanWork(
                batch: work.batch,
                source: RequestSource(
                    receiver: "otlp",
                    identity: Identity("ann", experiments: ExperimentList(allowed))
                ),
                receivedAt: work.receivedAt
            )
            return self.route(work, by: processor)
        }
        #expect(try route("team-b", ["team-a"]) == [.experimentName("team-b")])
        // Neither for the trace nor as one of max_routes.
        #expect(try route("team-a", ["team-a"]) == [.experimentName("team-a")])
        #expect(try route("team-b", ["team-a"]) == [.experimentName("team-a")])
        // The list of the member has changed.
        #expect(try route("team-a2", ["team-a2"]) == [.experimentName("team-a2")])
    }

    @Test func `a trace is remembered for the time asked for after it was last seen`() throws {
        let processor = experiment { $0.remember = .seconds(60) }
        func service(_ name: String, at seconds: UInt64) throws -> [Route] {
            route(try work(TestSpan(), resource: ["service.name": .string(name)], at: seconds), by: processor)
        }
        #expect(try service("a", at: 1000) == [.experimentName("a")])
        #expect(try service("b", at: 1059) == [.experimentName("a")])
        #expect(try service("b", at: 1119) == [.experimentName("a")])
        #expect(try service("b", at: 1300) == [.experimentName("a")])
        #expect(try service("b", at: 1361) == [.experimentName("a")])
        // Two generations without being seen.
        _ = route(try work(TestSpan(trace: 7 + 22), at: 1500), by: processor)
        _ = route(try work(TestSpan(trace: 7 + 22), at: 1600), by: processor)
        #expect(try service("b", at: 1601) == [.experimentName("b")])
    }

    @Test func `routes over the limit go to the default and are counted`() throws {
        let processor = experiment { $0.maxRoutes = 2 }
        #expect(route(try work(TestSpan(trace: 1)), by: processor) == [.experimentName("shop")])
        var over = try work(TestSpan(trace: 2), TestSpan(id: 3, trace: 2), resource: ["service.name": "two"])
        processor.process(&over)
        #expect(over.routeOfSpans() == [.experimentName("Default"), .experimentName("Default")])
        #expect(over.tally.count(.defaulted, by: "route") == 2)
        #expect(over.tally.count(.forgottenRoutes, by: "route") == 0)
        #expect(route(try work(TestSpan(trace: 3)), by: processor) == [.experimentName("shop")])
    }

    @Test func `a new service gets its own experiment in place of an idle one`() throws {
        let processor = experiment {
            $0.maxRoutes = 4
        }
        var forgotten = 0
        func service(_ name: String, trace: UInt64, at seconds: UInt64) throws -> [Route] {
            var work = try work(TestSpan(trace: trace), resource: ["service.name": .string(name)], at: seconds)
            processor.process(&work)
            forgotten += work.tally.count(.forgottenRoutes, by: "route")
            return work.routeOfSpans()
        }
        for (index, name) in ["a", "b", "c"].enumerated() {
            #expect(try service(name, trace: UInt64(index + 1), at: 1000) == [.experimentName(name)])
        }
        #expect(try service("late", trace: 10, at: 1059) == [.experimentName("Default")])
        #expect(try service("b", trace: 2, at: 1059) == [.experimentName("b")])
        #expect(forgotten == 0)
        #expect(try service("new", trace: 11, at: 1060) == [.experimentName("new")])
        #expect(forgotten == 2)
        // A number is not given again: a trace of a forgotten experiment never goes to the one that took its place.
        #expect(try service("a2", trace: 1, at: 1061) == [.experimentName("a2")])
        #expect(try service("b", trace: 2, at: 1061) == [.experimentName("b")])
        // A trace that went to the default stays there.
        #expect(try service("late", trace: 10, at: 1062) == [.experimentName("Default")])
    }

    @Test func `a thousand names leave room for those of the pipeline file`() throws {
        let processor = experiment {
            $0.maxRoutes = 3
            $0.map = [("shop", "Sales")]
        }
        for name in 0..<1000 as Range<UInt64> {
            _ = route(
                try work(TestSpan(trace: 100 + name), resource: ["service.name": .string("\(name)")]),
                by: processor
            )
        }
        #expect(route(try work(TestSpan(trace: 1)), by: processor) == [.experimentName("Sales")])
    }

    @Test func `a thousand names leave room for what a member is bound to by name, and for what settings name`() throws
    {
        let processor = experiment { $0.maxRoutes = 3 }
        processor.keepRoom(for: [.experimentName("settings"), .experimentID("7")])
        func route(_ service: String, trace: UInt64, _ allowed: [String]? = nil) throws -> Route? {
            var work = try work(TestSpan(trace: trace), resource: ["service.name": .string(service)])
            let identity = allowed.map { Identity("ann", experiments: ExperimentList($0)) }
            work = SpanWork(
                batch: work.batch,
                source: RequestSource(receiver: "otlp", identity: identity),
                receivedAt: work.receivedAt
            )
            return self.route(work, by: processor).first
        }
        for name in 0..<1000 as Range<UInt64> { _ = try route("\(name)", trace: 100 + name) }
        #expect(try route("team-a", trace: 1, ["team-a", "x"]) == .experimentName("team-a"))
        #expect(try route("team-a", trace: 1, ["team-a", "x"]) == .experimentName("team-a"))
        // Once it has room, everybody finds it.
        #expect(try route("team-a", trace: 2) == .experimentName("team-a"))
        #expect(try route("settings", trace: 3) == .experimentName("settings"))
        #expect(try route("team-b", trace: 4, ["team-*"]) == .experimentName("Default"))
    }

    @Test func `names in requests that are refused take no room`() throws {
        let processor = experiment { $0.maxRoutes = 3 }
        for name in 0..<10 as Range<UInt64> {
            var refused = try work(TestSpan(trace: 100 + name), resource: ["service.name": .string("\(name)")])
            processor.process(&refused)
            #expect(refused.routeOfSpans() == [.experimentName("\(name)")])
            for undo in refused.whenRefused { undo() }
        }
        #expect(route(try work(TestSpan(trace: 1)), by: processor) == [.experimentName("shop")])
        // A refused request takes nothing back that another one has taken.
        var again = try work(TestSpan(trace: 2))
        processor.process(&again)
        #expect(again.whenRefused.isEmpty)
        // Its trace is not remembered with what is forgotten.
        let later = try work(TestSpan(trace: 100), resource: ["service.name": "b"])
        #expect(route(later, by: processor) == [.experimentName("b")])
    }

    @Test func `values and members of another Unicode form are others`() throws {
        let processor = experiment {
            $0.from = ["auth"]
            $0.map = [("caf\u{E9}", "Mapped")]
        }
        #expect(route(try work(TestSpan(), identity: "caf\u{E9}"), by: processor) == [.experimentName("Mapped")])
        #expect(
            route(try work(TestSpan(), identity: "cafe\u{301}"), by: processor) == [.experimentName("cafe\u{301}")]
        )
    }

    @Test(arguments: ["header", "auth", "resource.tenant", "attribute.team"])
    func `a name over 250 characters goes to the default, whoever gives it, and is counted`(source: String) throws {
        let processor = experiment { $0.from = [source] }
        func work(_ name: String, trace: UInt64) throws -> SpanWork {
            try ProcessorsTests.work(
                TestSpan(trace: trace, ["team": .string(name)]),
                resource: ["tenant": .string(name)],
                headers: [HTTPHeader("x-mlflow-experiment-id", name)],
                identity: name
            )
        }
        let longest = String(repeating: "ü", count: 250)
        #expect(route(try work(longest, trace: 1), by: processor) == [.experimentName(longest)])
        // One character to the eye, and over a megabyte.
        let tower = "e" + String(repeating: "\u{301}", count: 600_000)
        for (trace, name) in [longest + "x", String(repeating: "7", count: 251), tower].enumerated() {
            var over = try work(name, trace: UInt64(trace) + 2)
            processor.process(&over)
            #expect(over.routeOfSpans() == [.experimentName("Default")])
            #expect(over.tally.count(.defaulted, by: "route") == 1)
        }
    }

    @Test func `a long value may have an experiment by map`() throws {
        let processor = experiment { $0.map = [("arn:*", "Cloud")] }
        let long = TestValue.string("arn:" + String(repeating: "x", count: 1000))
        #expect(
            route(try work(TestSpan(), resource: ["service.name": long]), by: processor) == [.experimentName("Cloud")]
        )
    }

    /// 40,000 attributes and 5,000 traces: 200 million comparisons where each trace looks through them.
    @Test func `a resource is looked through once, however many traces it has`() throws {
        let spans = (1...5000 as ClosedRange<UInt64>).map { TestSpan(id: $0, trace: $0) }
        let other = tracesRequest([TestSpan(trace: 1), TestSpan(trace: 9000)], resource: ["service.name": "other"])
        let many: [(String, TestValue)] =
            (0..<40_000).map { ("key.\($0)", TestValue.bool(true)) } + [("service.name", "shop")]
        let work = SpanWork(
            batch: try SpanBatch(tracesRequest(spans, resource: many) + other),
            source: RequestSource(receiver: "otlp"),
            receivedAt: UnixTime(nanoseconds: 1)
        )
        var choices = experiment().choices
        let start = ContinuousClock.now
        for span in work.batch.spans.indices.dropLast(2) {
            #expect(choices.choice(for: span, work).route == .experimentName("shop"))
        }
        #expect(choices.choice(for: 5001, work).route == .experimentName("other"))
        #expect(choices.choice(for: 0, work).route == .experimentName("shop"))
        #expect(ContinuousClock.now - start < .seconds(1))
    }

    @Test func `routes of retained records are restored`() throws {
        let processor = experiment()
        let trace = TraceID(high: 0, low: 5)
        let moment = UnixTime(nanoseconds: 1_000_000_000_000)
        processor.restore(trace, route: .experimentName("before"), identity: nil, receivedAt: moment)
        processor.restore(trace, route: .experimentName("after"), identity: nil, receivedAt: moment)
        processor.restore(TraceID(high: 0, low: 6), route: .none, identity: nil, receivedAt: moment)
        let later = try work(TestSpan(trace: 5), TestSpan(trace: 6))
        #expect(route(later, by: processor) == [.experimentName("before"), .experimentName("shop")])
        #expect(
            route(try work(TestSpan(trace: 5), identity: "ann"), by: processor) == [.experimentName("shop")]
        )
    }

    @Test(arguments: [false, true])
    func `what traces got stays when other settings take over`(changes: Bool) throws {
        let earlier = experiment { $0.maxRoutes = 2 }
        #expect(route(try work(TestSpan(trace: 5)), by: earlier) == [.experimentName("shop")])
        let later = experiment { settings in
            settings.maxRoutes = 2
            guard changes else { return }
            settings.from = []
            settings.defaultExperiment = "Elsewhere"
            settings.map = [("any", "Named")]
        }
        #expect(later.goOn(from: earlier))
        #expect(route(try work(TestSpan(trace: 5)), by: later) == [.experimentName("shop")])
        let new: Route = .experimentName(changes ? "Elsewhere" : "shop")
        #expect(route(try work(TestSpan(trace: 6)), by: later) == [new])
        let last = experiment()
        #expect(last.goOn(from: later))
        #expect(route(try work(TestSpan(trace: 6)), by: last) == [new])
    }

    @Test func `the memory of traces is bounded`() {
        let remembered = RememberedTraces(remember: .seconds(3600), tracesMax: 320)
        let now = UnixTime(nanoseconds: 1)
        for low in 0..<1000 as Range<UInt64> {
            _ = remembered.note(1, of: .init(trace: TraceID(high: 0, low: low), identity: 0), at: now)
        }
        let known = (0..<1000 as Range<UInt64>).filter {
            remembered.peek(.init(trace: TraceID(high: 0, low: $0), identity: 0)) != nil
        }
        #expect(known.count <= 320)
        #expect(known.contains(999))
    }
}
