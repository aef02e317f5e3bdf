import Basics
import Logging
import OTLP
import Synchronization
import Testing

@testable import Pipeline

@Suite struct DeviationLogTests {
    private let meters = Meters()
    private let named = NamedClients()

    private func note(_ clients: some Sequence<String>, in log: DeviationLog) {
        var counts = DeviationCounts()
        counts.snakeCase = 1
        for client in clients { log.note(counts, from: RequestSource(receiver: "otlp", client: client)) }
    }

    @Test func `clients are named once, a bounded number of them, and idle ones make room`() {
        let seconds = SharedSeconds()
        let clock = WallClock { UnixTime(nanoseconds: seconds.value.load(ordering: .relaxed) * 1_000_000_000) }
        let log = DeviationLog(meters: meters, logger: named.logger, clock: clock)
        note((0..<1200).map { "client \($0)" }, in: log)
        #expect(named.all.count == 1000)
        note(["client 7", "client 1199"], in: log)
        #expect(named.all.count == 1000)
        #expect(meters.prometheusText().contains("millrace_receiver_unnamed_clients_total 201\n"))
        seconds.value.store(3602, ordering: .relaxed)
        note(["client 1199"], in: log)
        #expect(named.all.count == 1001)
        #expect(meters.prometheusText().contains("millrace_receiver_forgotten_clients_total 1000\n"))
    }

    @Test func `a client's name is cut, and shown on one line`() {
        let log = DeviationLog(meters: meters, logger: named.logger)
        let long = String(repeating: "x", count: 60_000)
        note(["a\u{1B}[2J\nb" + long, "a\u{1B}[2J\nb" + long + "other"], in: log)
        #expect(named.all.map { $0.count <= 120 } == [true])
        #expect(named.all.first?.hasPrefix("a [2J b") == true)
    }
}

/// Keeps the `client` of each line.
private final class NamedClients: Sendable {
    private let stored = Mutex<[String]>([])

    var all: [String] { stored.withLock { $0 } }
    var logger: Logger { Logger(label: "test") { _ in Handler(clients: self) } }

    private struct Handler: LogHandler {
        let clients: NamedClients
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            clients.stored.withLock { $0.append("\(event.metadata?["client"] ?? "")") }
        }
    }
}

private final class SharedSeconds: Sendable {
    let value = Atomic<UInt64>(1)
}
