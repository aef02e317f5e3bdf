import OTLP
import TestKit
import Testing

@testable import MLflow

/// Spans that only write down once more what calls beside or before them used.
struct UsageRecordTests {
    private let usage = "mlflow.chat.tokenUsage"
    private let repeated = "repeat.chat.tokenUsage"
    private let counts = #"{"input_tokens":5,"output_tokens":2,"total_tokens":7}"#

    private func call(_ id: UInt64, below parent: UInt64 = 1, to end: UInt64, _ times: Int64 = 1) -> TestSpan {
        var span = TestSpan("chat", id: id, parent: parent, ["gen_ai.operation.name": "chat"])
        span.attributes += Self.tokens(times)
        (span.start, span.end) = (end - 50, end)
        return span
    }

    private func record(_ id: UInt64, below parent: UInt64 = 1, at time: UInt64, _ times: Int64 = 1) -> TestSpan {
        var span = TestSpan("record", id: id, parent: parent)
        span.attributes = Self.tokens(times)
        (span.start, span.end) = (time, time + 1)
        return span
    }

    private static func tokens(_ times: Int64) -> [(String, TestValue)] {
        [("gen_ai.usage.input_tokens", .int(5 * times)), ("gen_ai.usage.output_tokens", .int(2 * times))]
    }

    private func span(_ id: UInt64, below parent: UInt64 = 1, _ operation: String) -> TestSpan {
        var span = TestSpan(operation, id: id, parent: parent, ["gen_ai.operation.name": .string(operation)])
        (span.start, span.end) = (1, 5000)
        return span
    }

    @Test func `a record of the call before it counts nothing, and stays to be seen`() throws {
        let spans = try map(call(2, to: 100), record(3, at: 100), call(4, to: 200), record(5, at: 201))
        #expect(spans.map { $0[usage] } == [counts, "null", counts, "null"])
        #expect(spans.map { $0[repeated] } == [nil, counts, nil, counts])
    }

    @Test func `a call is told of once, so that a record of something else stays`() throws {
        let spans = try map(call(2, to: 100), record(3, at: 110), record(4, at: 120), record(5, at: 130, 3))
        #expect(spans.map { $0[usage] } == [counts, "null", nil, nil])
    }

    @Test func `a record of a task repeats the calls below a span beside it`() throws {
        let spans = try map(
            call(2, to: 100),
            record(3, at: 110),
            span(4, "execute_tool"),
            span(5, below: 4, "invoke_agent"),
            call(6, below: 5, to: 200),
            call(7, below: 5, to: 300),
            record(8, at: 310, 2)
        )
        #expect(spans.map { $0[usage] } == [counts, "null", nil, nil, counts, counts, "null"])
    }

    @Test func `a record of a whole run repeats all of its calls`() throws {
        let spans = try map(
            call(2, to: 100),
            record(3, at: 110),
            call(4, to: 200),
            record(5, at: 210),
            record(6, at: 220, 2)
        )
        #expect(spans.map { $0[usage] } == [counts, "null", counts, "null", "null"])
        let lone = try map(call(2, to: 100), record(3, at: 110), record(4, at: 120))
        #expect(lone.map { $0[usage] } == [counts, "null", nil])
    }

    @Test func `what says anything else, comes before the call or is elsewhere is no record of it`() throws {
        var answered = record(3, at: 110)
        answered.attributes.append(("output.value", "Sunny."))
        #expect(try map(call(2, to: 100), answered).map { $0[usage] } == [counts, nil])
        #expect(try map(call(2, to: 100), record(3, at: 90)).map { $0[usage] } == [counts, nil])
        #expect(try map(call(2, to: 100), record(3, below: 9, at: 110)).map { $0[usage] } == [counts, nil])
        let parent = TestSpan("child", id: 4, parent: 3)
        #expect(try map(call(2, to: 100), record(3, at: 110), parent).map { $0[usage] } == [counts, nil, nil])
        var agent = record(3, at: 110)
        agent.attributes.append(("gen_ai.operation.name", "invoke_agent"))
        #expect(try map(call(2, to: 100), agent).map { $0[usage] } == [counts, nil])
    }

    @Test(arguments: [false, true])
    func `records beside each other and calls far below them cost no more than their number`(isDeep: Bool) throws {
        func steps(_ count: UInt64) throws -> Int {
            let spans = (1...count).flatMap { index in
                let parent = isDeep ? 10 * index : 1
                return [
                    TestSpan("task", id: 10 * index, parent: isDeep ? 10 * index - 10 : 1),
                    call(10 * index + 1, below: parent, to: 1000 + index),
                    record(10 * index + 2, below: parent, at: 90_000, Int64(index)),
                ]
            }
            let unlimited = MappingBudget(bytesMax: .max, stepsMax: .max)
            return try mapCounting(tracesRequest(spans, resource: []), within: unlimited).outcome.steps
        }
        #expect(try steps(4000) <= steps(2000) * 9 / 4)
    }

    @Test func `the tokens of AG2 count once, and those that only its records know stay`() throws {
        let spans = try ClientBodies.mapped("python-ag2-1")
        func total(_ trace: String) -> Int {
            spans.filter { $0.trace.description == trace }.reduce(0) { sum, span in
                let isOpen = span[usage] == nil && span["gen_ai.usage.input_tokens"] != nil
                return sum + (isOpen || span[usage] != nil && span[usage] != "null" ? 11 : 0)
            }
        }
        #expect(total("a01038580e444af2d91ca0d2ed4af836") == 11)
        #expect(total("b302042b38fb5acbe90d5848c2d2111f") == 22)
        #expect(total("f0adeb048cd2f5084bdd1f1cad76a0fd") == 33)
        #expect(total("842e0182be7aa99095a47b9bf9d0070d") == 33)
    }
}
