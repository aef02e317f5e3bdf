import Basics
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
        _ = route(try work(TestSpan(trace: 7 + 16), at: 1500), by: processor)
        _ = route(try work(TestSpan(trace: 7 + 16), at: 1600), by: processor)
        #expect(try service("b", at: 1601) == [.experimentName("b")])
    }

    @Test func `routes over the limit go to the default and are counted`() throws {
        let processor = experiment { $0.maxRoutes = 2 }
        #expect(route(try work(TestSpan(trace: 1)), by: processor) == [.experimentName("shop")])
        var over = try work(TestSpan(trace: 2), TestSpan(id: 3, trace: 2), resource: ["service.name": "two"])
        processor.process(&over)
        #expect(over.routeOfSpans() == [.experimentName("Default"), .experimentName("Default")])
        #expect(over.tally.count(.defaulted, by: "route") == 2)
        #expect(route(try work(TestSpan(trace: 3)), by: processor) == [.experimentName("shop")])
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
