import Basics
import OTLP
import Synchronization
import TestKit
import Testing

@testable import Pipeline

@Suite struct DeviationLogTests {
    private let meters = Meters()
    private let log = LogLines()

    private func note(_ clients: some Sequence<String>, in log: DeviationLog) {
        var counts = DeviationCounts()
        counts.snakeCase = 1
        for client in clients { log.note(counts, of: .traces, from: RequestSource(receiver: "otlp", client: client)) }
    }

    @Test func `clients are named once, a bounded number of them, and idle ones make room`() {
        let seconds = SharedSeconds()
        let clock = WallClock { UnixTime(nanoseconds: seconds.value.load(ordering: .relaxed) * 1_000_000_000) }
        let log = DeviationLog(meters: meters, logger: self.log.logger, clock: clock)
        note((0..<1200).map { "client \($0)" }, in: log)
        #expect(self.log.values(of: "client").count == 1000)
        note(["client 7", "client 1199"], in: log)
        #expect(self.log.values(of: "client").count == 1000)
        #expect(meters.prometheusText().contains("millrace_receiver_unnamed_clients_total 201\n"))
        seconds.value.store(3602, ordering: .relaxed)
        note(["client 1199"], in: log)
        #expect(self.log.values(of: "client").count == 1001)
        #expect(meters.prometheusText().contains("millrace_receiver_forgotten_clients_total 1000\n"))
    }

    @Test func `a client's name is cut, and shown on one line`() {
        let log = DeviationLog(meters: meters, logger: self.log.logger)
        let long = String(repeating: "x", count: 60_000)
        note(["a\u{1B}[2J\nb" + long, "a\u{1B}[2J\nb" + long + "other"], in: log)
        #expect(self.log.values(of: "client").map { $0.count <= 120 } == [true])
        #expect(self.log.values(of: "client").first?.hasPrefix("a [2J b") == true)
    }
}

private final class SharedSeconds: Sendable {
    let value = Atomic<UInt64>(1)
}
