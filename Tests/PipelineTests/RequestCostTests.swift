import Basics
import Journal
import OTLP
import Pipeline
import TestKit
import Testing

/// A request that costs too much for its size is refused, and its answer names what was too much.
@Suite struct RequestCostTests {
    private static let text = String(repeating: "r", count: 100_000)

    /// A large resource that is repeated for each of many routes.
    private static let repeated = tracesRequest(
        (1...64).map { TestSpan(trace: $0) },
        resource: ["ballast": .string(text)]
    )

    private func refused(_ reason: String, of bench: PipelineBench) -> Bool {
        let sample = bench.meters.prometheusText().split(separator: "\n").first { line in
            line.hasPrefix("millrace_receiver_refused_spans_total{") && line.contains("reason=\"\(reason)\"")
        }
        return sample.map { !$0.hasSuffix(" 0") } ?? false
    }

    @Test func `over the bytes that may be written it is too large`() async throws {
        let bench = try PipelineBench(processors: [ByTrace()], to: ScriptedExporter())
        guard case .tooLarge(let message) = await bench.send(Self.repeated) else {
            Issue.record("it was taken")
            return
        }
        #expect(message.contains("would be written as more than") && message.contains("repeated for its routes"))
        #expect(refused("cost", of: bench) && bench.reader.account.accepted == 0)
    }

    @Test func `a setting allows more bytes`() async throws {
        let costs = CostLimits(heldPerByte: 100, writtenPerByte: 100)
        let bench = try PipelineBench(processors: [ByTrace()], to: ScriptedExporter(), costs: costs)
        #expect(await bench.send(Self.repeated) == .accepted)
        #expect(bench.reader.account.accepted == 64)
    }

    @Test func `over the steps of work it is invalid`() async throws {
        let small = try Fixtures.bytes("payloads/small.pb")
        let allowed = RequestAccount(bytes: small.count).stepsMax
        // Reading it takes some steps, too.
        for (steps, isTaken) in [(allowed / 2, true), (allowed, false)] {
            let bench = try PipelineBench(processors: [Laborious(steps: steps)], to: ScriptedExporter())
            let answer = await bench.send(small)
            guard !isTaken else {
                #expect(answer == .accepted)
                continue
            }
            guard case .invalid(let message) = answer else {
                Issue.record("it was taken")
                continue
            }
            #expect(message.contains("more than \(allowed) steps of work"))
            #expect(refused("cost", of: bench) && bench.reader.account.accepted == 0)
        }
    }

    @Test func `over the memory of its index it is too large`() async throws {
        var span = TestSpan()
        span.attributes = (0..<200_000).map { _ in ("", TestValue.empty) }
        let bench = try PipelineBench(to: ScriptedExporter(), costs: CostLimits(heldPerByte: 1))
        guard case .tooLarge = await bench.send(tracesRequest([span])) else {
            Issue.record("it was taken")
            return
        }
        #expect(bench.reader.account.accepted == 0)
    }

    @Test func `what is repeated for routes is charged to memory`() async throws {
        let costs = CostLimits(heldPerByte: 1000, writtenPerByte: 1000)
        let bench = try PipelineBench(processors: [ByTrace()], to: ScriptedExporter(), costs: costs)
        let (budget, others) = (MemoryBudget(limit: .mebibytes(4)), MemoryBudget(limit: .mebibytes(32)))
        let (memory, held) = (Reservation(budget), Reservation(others))
        // 64 times 100 KB: more than there ever is, and more than others leave.
        #expect(memory.grow(to: Self.repeated.count))
        guard case .tooLarge(let message) = await bench.send(Self.repeated, memory: memory) else {
            Issue.record("it was taken")
            return
        }
        #expect(message.contains("more memory than all requests in flight may hold"))
        #expect(held.grow(to: 28 << 20))
        let second = Reservation(others)
        #expect(second.grow(to: Self.repeated.count))
        guard case .unavailable(_, let pause) = await bench.send(Self.repeated, memory: second) else {
            Issue.record("it was taken")
            return
        }
        #expect(pause <= .seconds(3))
        #expect(refused("memory", of: bench) && bench.reader.account.accepted == 0)
    }
}

/// Works hard for each request.
private struct Laborious: SpanProcessor {
    let steps: Int

    func process(_ work: inout SpanWork) { work.account.add(steps: steps) }
}
