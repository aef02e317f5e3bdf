import Basics
import Foundation
import Journal
import Logging
import OTLP
import Settings
import Synchronization
import TestKit
import Testing

@testable import Configuration
@testable import Pipeline

/// What a process still knows after it was started again on the same journal.
@Suite final class RestartTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    private let clock = SteppingClock()

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    /// One run of a process, from opening the journal to closing it.
    private func run(_ body: (Run) async throws -> Void) async throws {
        let text = """
            {"receivers": {"in": {"type": "otlp_http"}}, "exporters": {"out": {"type": "console"}},
             "processors": {"route": {"type": "mlflow_experiment", "remember": "60s"}},
             "pipelines": {
                "first": {"receivers": ["in"], "processors": ["route"], "exporters": ["out"]},
                "second": {"receivers": ["in"], "processors": ["route"], "exporters": ["out"]}},
             "journal": {"directory": "\(directory.path)", "min_free": "0B"}}
            """
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        let meters = Meters()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let journal = try file.openJournal(meters: meters, clock: clock.wall, logger: logger)
        let fronts = file.fronts(try file.chains(of: journal, clock: clock.wall), counting: IntakeTallies(meters)).map(
            \.front
        )
        try await body(Run(journal: journal, fronts: fronts, clock: clock.wall))
        await journal.close()
    }

    @Test func `a late span follows its trace to the route from before the restart`() async throws {
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "a") == [.experimentName("a")])
            #expect(try await run.send(trace: 2, service: "b") == [.experimentName("b")])
        }
        clock.advance(by: .seconds(59))
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "late") == [.experimentName("a")])
            #expect(try await run.send(trace: 2, service: "late") == [.experimentName("b")])
            #expect(try await run.send(trace: 3, service: "late") == [.experimentName("late")])
        }
    }

    @Test func `a trace older than the memory is not remembered`() async throws {
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "a") == [.experimentName("a")])
            clock.advance(by: .seconds(30))
            #expect(try await run.send(trace: 2, service: "b") == [.experimentName("b")])
        }
        clock.advance(by: .seconds(31))
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "late") == [.experimentName("late")])
            #expect(try await run.send(trace: 2, service: "late") == [.experimentName("b")])
        }
    }

    @Test func `identities never share what is remembered`() async throws {
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "a", identity: "ann") == [.experimentName("a")])
            #expect(try await run.send(trace: 1, service: "b", identity: "bob") == [.experimentName("b")])
        }
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "late", identity: "bob") == [.experimentName("b")])
            #expect(try await run.send(trace: 1, service: "late", identity: "ann") == [.experimentName("a")])
            #expect(try await run.send(trace: 1, service: "late", identity: "eve") == [.experimentName("late")])
            #expect(try await run.send(trace: 1, service: "later", identity: nil) == [.experimentName("later")])
        }
    }

    @Test func `a pipeline remembers what its own log retains`() async throws {
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "a", to: 1) == [.experimentName("a")])
        }
        try await run { run throws in
            #expect(try await run.send(trace: 1, service: "late", to: 0) == [.experimentName("late")])
            #expect(try await run.send(trace: 1, service: "late", to: 1) == [.experimentName("a")])
        }
    }
}

/// The parts of a process that take requests.
private struct Run {
    let journal: Journal
    let fronts: [PipelineFront]
    let clock: WallClock

    /// Stores one request in one pipeline and says which routes its spans got.
    func send(trace: UInt64, service: String, identity: String? = nil, to pipeline: Int = 0) async throws -> [Route] {
        let body = tracesRequest([TestSpan(trace: trace)], resource: ["service.name": .string(service)])
        let source = RequestSource(receiver: "in", identity: identity.map { Identity($0) })
        let account = RequestAccount(bytes: body.count)
        var memory = RequestMemory(nil, account, body: body.count)
        let batch = try SpanBatch(body)
        var undo: [@Sendable () -> Void] = []
        let records = try fronts[pipeline].records(for: batch, from: source, at: clock.now(), account, &memory, &undo)
        let outcome = Outcome()
        journal.append(RecordGroup(entries: records.map(\.record)), ticket: 1, observer: outcome)
        #expect(await outcome.result == .durable)
        return records.compactMap { RecordMetadata(decoding: $0.record.metadata)?.route }
    }
}

/// Waits for the result of one group.
private final class Outcome: CommitObserver {
    private let (results, continuation) = AsyncStream.makeStream(of: CommitResult.self)

    var result: CommitResult? {
        get async { await results.first { _ in true } }
    }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        for commit in commits { continuation.yield(commit.result) }
    }
}

/// A wall clock that stands until a test moves it.
private final class SteppingClock: Sendable {
    private let nanoseconds = Mutex<UInt64>(1_800_000_000_000_000_000)

    var wall: WallClock { WallClock { UnixTime(nanoseconds: self.nanoseconds.withLock { $0 }) } }

    func advance(by duration: Duration) {
        nanoseconds.withLock { $0 += UInt64(duration.wholeNanoseconds) }
    }
}
