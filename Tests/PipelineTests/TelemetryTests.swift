import Basics
import Logging
import OTLP
import TestKit
import Testing

@testable import Pipeline

/// What is recorded about requests and deliveries, and how it is sent.
@Suite struct TelemetryTests {
    private let meters = Meters()

    private var dropped: Int { Int(meters.counter("millrace_telemetry_dropped_spans_total").value) }

    private func span(_ name: String) -> OwnSpan {
        let now = UnixTime(nanoseconds: 1)
        return OwnSpan(name: name, kind: .server, context: .random(), begin: now, end: now)
    }

    private func sender(_ telemetry: Telemetry, to exporter: any Exporter) -> TelemetrySender {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return TelemetrySender(
            telemetry,
            to: exporter,
            taking: [.traces],
            meters: meters,
            interval: .seconds(1),
            logger: logger
        )
    }

    private static let failure = DeliveryOutcome.failed(Rejection(status: 500, reason: "status 500: \"secret\" is bad"))

    @Test func `a span on which the destination always fails does not keep the others from it`() async throws {
        let telemetry = Telemetry(ratio: 1, meters: meters)
        let isPoison: @Sendable (Batch) -> Bool = { batch in
            String(decoding: batch.payload, as: UTF8.self).contains("poison")
        }
        let exporter = ScriptedExporter(refusing: isPoison, as: Self.failure)
        let sender = sender(telemetry, to: exporter)
        for number in 0..<600 { telemetry.add(span(number == 300 ? "poison" : "good")) }
        for _ in 0..<20 { await sender.flush() }
        #expect(dropped == 1)
        #expect(telemetry.take(1).isEmpty)
        #expect(exporter.batches.filter { !isPoison($0) }.reduce(0) { $0 + $1.items } == 599)
        telemetry.add(span("good"))
        await sender.flush()
        #expect(exporter.batches.last?.items == 1)
    }

    @Test func `a destination that fails on everything loses few spans, and gets the rest in large requests again`()
        async throws
    {
        let telemetry = Telemetry(ratio: 1, meters: meters)
        let fails = Switch(true)
        let exporter = ScriptedExporter(refusing: { _ in fails.isOn }, as: Self.failure)
        let sender = sender(telemetry, to: exporter)
        for _ in 0..<2048 { telemetry.add(span("good")) }
        for _ in 0..<12 { await sender.flush() }
        #expect(exporter.batches.map(\.items) == [512, 256, 128, 64, 32, 16, 8, 4, 2, 1, 1, 1])
        #expect(dropped == 3)
        fails.isOn = false
        await sender.flush()
        #expect(telemetry.take(1).isEmpty && dropped == 3)
        #expect(exporter.batches.contains { $0.items == 512 })
    }

    @Test func `nothing is recorded of what a Millrace says about itself, wherever it came from`() async throws {
        let telemetry = Telemetry(ratio: 1, meters: meters)
        let bench = try PipelineBench(to: ScriptedExporter([Self.failure]), telemetry: telemetry)
        let traced = TracedIntake(bench.gateway, telemetry)
        let own = OwnResource().request(spans: [span("receive traces")])
        #expect(await bench.send(own, through: traced) == .accepted)
        await bench.deliverAll()
        #expect(telemetry.take(10).isEmpty)
        // Beside the spans of others it is their request.
        #expect(try await bench.send(own + Fixtures.bytes("payloads/small.pb"), through: traced) == .accepted)
        await bench.deliverAll()
        #expect(telemetry.take(10).map(\.name) == ["receive traces", "deliver traces"])
    }

    @Test(
        arguments: [
            (failure, "status 500"),
            (.unavailable(reason: "gRPC status UNAVAILABLE: secret", after: nil), "gRPC status UNAVAILABLE"),
            (.timedOut(reason: "no answer in time"), "no answer in time"),
            (.delivered(rejected: 3, message: "secret"), "3 rejected"), (.delivered, nil),
        ] as [(DeliveryOutcome, String?)]
    )
    func `a failed attempt is told without the destination's words`(
        outcome: DeliveryOutcome,
        words: String?
    ) async throws {
        let telemetry = Telemetry(ratio: 1, meters: meters)
        let bench = try PipelineBench(to: ScriptedExporter([outcome]), telemetry: telemetry)
        let traced = TracedIntake(bench.gateway, telemetry)
        #expect(try await bench.send(Fixtures.bytes("payloads/small.pb"), through: traced) == .accepted)
        await bench.deliverAll()
        let attempts = telemetry.take(10).filter { $0.kind == .client }
        #expect(attempts.first?.failure == words)
        #expect(!attempts.isEmpty)
    }
}
