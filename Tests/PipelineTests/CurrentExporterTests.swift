import Basics
import Journal
import OTLP
import Synchronization
import TestKit
import Testing

@testable import Pipeline

/// An exporter that holds each request until it is told to let it go, and notes what happens to it.
private final class HeldExporter: Exporter {
    let name: String
    private let log: Mutex<[String]>
    private let gate = Doorbell()
    let begun = Doorbell()

    init(_ name: String) {
        self.name = name
        log = Mutex([])
    }

    var events: [String] { log.withLock { $0 } }

    func letGo() { gate.ring() }

    func export(_ batch: Batch) async -> DeliveryOutcome {
        log.withLock { $0.append("begin") }
        begun.ring()
        await gate.wait()
        log.withLock { $0.append("end") }
        return .delivered
    }

    func close() async { log.withLock { $0.append("close") } }
}

/// An exporter that says something else than the defaults of the protocol, everywhere.
private struct UnusualExporter: Exporter {
    let usesRoutes = true
    let keepsIdentity = true
    let deliversOneAtATimePerRoute = true
    let concurrency = 7
    let amendmentsTaken = AmendmentsTaken.changes

    func export(_ batch: Batch) async -> DeliveryOutcome { .delivered }
}

@Suite struct CurrentExporterTests {
    private let batch = Batch(signal: .traces, route: .none, headers: [], payload: [1], items: 1)

    @Test func `the next exporter begins when the one before has answered and is closed`() async {
        let (first, dropped, second) = (HeldExporter("first"), HeldExporter("dropped"), HeldExporter("second"))
        let current = CurrentExporter(first)
        let under = Task { [batch] in await current.export(batch) }
        await first.begun.wait()
        current.replace(with: dropped)
        current.replace(with: second)
        let next = Task { [batch] in await current.export(batch) }
        #expect(second.events.isEmpty)
        first.letGo()
        #expect(await under.value == .delivered)
        await second.begun.wait()
        #expect(first.events == ["begin", "end", "close"])
        second.letGo()
        #expect(await next.value == .delivered)
        await current.close()
        #expect(second.events == ["begin", "end", "close"])
        #expect(!dropped.events.contains("begin"))
    }

    @Test func `a destination is what its exporter says`() async {
        let current = CurrentExporter(UnusualExporter())
        #expect(current.usesRoutes && current.keepsIdentity && current.deliversOneAtATimePerRoute)
        #expect(current.concurrency == 7)
        #expect(await current.amendmentsTaken == .changes)
    }

    @Test func `a lease ends with the last who holds it`() async {
        var lease: IntakeLease? = IntakeLease()
        let end = lease?.end
        let holder = Task { [lease] in withExtendedLifetime(lease) {} }
        await holder.value
        lease = nil
        await end?.wait()
    }
}
