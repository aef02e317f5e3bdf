import Basics
import Journal
import OTLP
import TestKit
import Testing

@testable import Pipeline

/// The way of log records and metrics from the intake to the exporter, which is that of spans.
@Suite struct SignalTests {
    static let captures = [Signal.logs, .metrics].flatMap { signal in
        Fixtures.captures(of: signal).map { (signal: signal, path: $0) }
    }

    @Test(arguments: captures)
    func `a real request arrives byte for byte, and its items are counted`(signal: Signal, path: String) async throws {
        let body = try Fixtures.bytes(path)
        let items = try Envelope(body, signal: signal).itemCount
        let exporter = ScriptedExporter()
        let bench = try PipelineBench(signal: signal, to: exporter)
        #expect(await bench.send(body) == .accepted)
        await bench.deliverAll()
        let arrived = exporter.batches.reduce(into: [UInt8]()) { $0 += $1.payload }
        #expect(exporter.batches.reduce(0) { $0 + $1.items } == items)
        if items <= 500 { #expect(arrived == (items == 0 ? [] : body)) }
        #expect(exporter.batches.allSatisfy { $0.signal == signal })
        #expect(bench.account.outcomes[.delivered] == UInt64(items) && bench.isBalanced)
        let text = bench.meters.prometheusText()
        let name = signal.itemsName
        #expect(
            text.contains(
                "accepted_\(name)_total{pipeline=\"traces\",receiver=\"otlp\",signal=\"\(signal.name)\"} \(items)\n"
            )
        )
        #expect(
            text.contains(
                "delivered_\(name)_total{exporter=\"out\",pipeline=\"traces\",signal=\"\(signal.name)\"} \(items)\n"
            )
        )
        #expect(!text.contains("_spans_total"))
    }

    @Test(arguments: [Signal.logs, .metrics])
    func `a request in JSON is taken`(signal: Signal) async throws {
        for path in Fixtures.captures(of: signal, inJSON: true) {
            let exporter = ScriptedExporter()
            let bench = try PipelineBench(signal: signal, to: exporter)
            #expect(await bench.send(try Fixtures.bytes(path), as: .json) == .accepted)
            await bench.deliverAll()
            #expect(bench.account.accepted > 0 && bench.account.outcomes[.delivered] == bench.account.accepted)
        }
    }

    /// Log records of one scope.
    private static func request(_ records: [[UInt8]]) -> [UInt8] {
        let scope = records.flatMap { record -> [UInt8] in [0x12, UInt8(record.count)] + record }
        return [0x0A, UInt8(scope.count + 2), 0x12, UInt8(scope.count)] + scope
    }

    /// A record with a trace id of 5 bytes between two valid ones.
    private static let flawed = request([[0x10, 1], [0x4A, 5, 1, 2, 3, 4, 5], [0x10, 2]])

    @Test func `invalid items are refused in the words of their signal, and the others are taken`() async throws {
        let bench = try PipelineBench(signal: .logs, to: ScriptedExporter())
        let expected = "1 of 3 log records refused: log record 1: trace_id is neither empty nor 16 bytes long"
        #expect(await bench.send(Self.flawed) == .partial(rejected: 1, message: expected))
        let text = bench.meters.prometheusText()
        #expect(
            text.contains(
                "# HELP millrace_receiver_accepted_log_records_total Log records taken and answered with success."
            )
        )
        #expect(text.contains("reason=\"invalid\",receiver=\"otlp\",signal=\"logs\"} 1\n"))
        await bench.deliverAll()
        #expect(bench.account.outcomes[.delivered] == 2 && bench.isBalanced)
    }

    @Test func `a signal that no pipeline takes is refused`() async throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        let answer = await bench.send(Self.flawed, signal: .logs)
        #expect(answer == .invalid("no pipeline of this receiver takes log records"))
        #expect(bench.account.accepted == 0)
    }

    @Test func `metrics over the limits are divided, and counted by data point`() async throws {
        let body = try Fixtures.bytes("clients/go-otel-app-5.metrics.pb")
        let whole = try Envelope(body, signal: .metrics)
        let exporter = ScriptedExporter()
        let limits = BatchLimits(items: 3, bytes: .mebibytes(4), linger: .zero)
        let bench = try PipelineBench(signal: .metrics, to: exporter, limits: limits)
        #expect(await bench.send(body) == .accepted)
        await bench.deliverAll()
        let parts = try exporter.batches.map { try Envelope($0.payload, signal: .metrics) }
        #expect(parts.count > 1)
        #expect(parts.reduce(0) { $0 + $1.itemCount } == whole.itemCount)
        #expect(parts.allSatisfy { $0.itemCount <= 3 })
        #expect(bench.account.outcomes[.delivered] == UInt64(whole.itemCount) && bench.isBalanced)
    }

    @Test func `one that is refused becomes a dead letter, which is listed and replayed`() async throws {
        let ill = Switch(true)
        let exporter = ScriptedExporter(refusing: { _ in ill.isOn })
        let bench = try PipelineBench(signal: .logs, to: exporter)
        let body = Self.request([[0x10, 1]])
        #expect(await bench.send(body) == .accepted)
        await bench.deliverAll()
        let letter = try #require(try await bench.listing().first)
        #expect(letter["id"]?.string == "traces/logs/out/0")
        #expect(letter["pipeline"]?.string == "traces" && letter["signal"]?.string == "logs")
        #expect(letter["log_records"]?.integer == 1 && letter["spans"] == nil)
        ill.isOn = false
        let replayed = await bench.office.answer(.init(.replay, id: "traces/logs/out/0"))
        #expect(replayed == .done(Array(#"{"letters":1,"spans":0,"log_records":1}"#.utf8)))
        await bench.deliverAll()
        #expect(exporter.batches.last?.payload == body)
        #expect(bench.account.outcomes[.delivered] == 1 && bench.isBalanced)
    }

    @Test(arguments: Signal.allCases)
    func `a body over the index of its limits is too large`(signal: Signal) async throws {
        let bench = try PipelineBench(signal: signal, to: ScriptedExporter())
        // Many empty units cost more in the index than eight times their bytes.
        let units = [UInt8]([[UInt8]](repeating: [0x12, 0], count: 100_000).joined())
        func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
            var bytes = [tag]
            bytes.appendVarint(content.count)
            return bytes + content
        }
        guard case .tooLarge = await bench.send(field(0x0A, field(0x12, units))) else {
            Issue.record("it was not too large")
            return
        }
        #expect(bench.account.accepted == 0)
    }

    @Test func `the ledger has the rows of each signal under its name`() async throws {
        var settings = JournalSettings()
        settings.storage = .memory
        let definitions = Signal.allCases.map {
            LogDefinition(LogID("all", $0), readers: [ReaderDefinition(name: "out")])
        }
        let journal = try Journal.open(settings, logs: definitions, logger: LogLines().logger)
        let record = NewRecord(log: LogID("all", .metrics), kind: .items, items: 7, metadata: [], payload: [1])
        #expect(await journal.append(RecordGroup(entries: [record])) == .durable)
        let ledger = Ledger(of: journal) { $0 == LogID("all", .logs) ? 3 : 0 }
        let json = try JSONNode(parsing: ledger.json(now: UnixTime(nanoseconds: 0)))
        let pipeline = try #require(json["pipelines"]?["all"])
        #expect(pipeline["accepted_spans"]?.integer == 0 && pipeline["refused_spans"]?.integer == 0)
        #expect(pipeline["signals"]?.members?.map(\.name) == ["metrics", "logs"])
        let metrics = try #require(pipeline["signals"]?["metrics"])
        #expect(metrics["accepted_data_points"]?.integer == 7)
        #expect(metrics["destinations"]?["out"]?["queued"]?.integer == 7)
        #expect(pipeline["signals"]?["logs"]?["refused_log_records"]?.integer == 3)
        await journal.close()
    }
}
