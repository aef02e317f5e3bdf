import Admin
import Basics
import Configuration
import Journal
import Logging
import Pipeline
import ServiceLifecycle
import Settings

// The process as services. They end in the reverse of their order: the deliveries first, which drain while the receivers
// go on; then the receivers, so that a client is refused as late as possible; the admin endpoint, which shows both; the
// journal last.

/// Keeps the journal open, and closes it when everything else has ended.
struct JournalService: Service {
    let assembly: Assembly

    func run() async {
        // It is cancelled where another service ends with an error.
        let isGraceful = (try? await gracefulShutdown()) != nil
        // The next process may read it as soon as the journal is closed.
        if isGraceful { await assembly.noteEnd() }
        await assembly.journal.close()
    }
}

/// Answers operators and their tools.
struct AdminService: Service {
    let admin: AdminEndpoint
    /// Where commands look for its address.
    let directory: String
    /// Nil where nobody waits for the start.
    let lifeline: Lifeline?

    func run() async throws {
        do {
            try await admin.start(notedIn: directory)
        } catch {
            let hint = "the \"listen\" of \"admin\" in the pipeline file names another address"
            throw StartError("the admin endpoint \(error); \(hint)")
        }
        lifeline?.partIsUp()
        // The address has the token in it: people see it, what is kept of logs does not.
        if Output.standardError.isTerminal, let page = admin.pageAddress {
            writeLine("look at it: \(page)", to: .standardError)
        }
        try? await gracefulShutdown()
        await admin.close()
    }
}

/// Sends what the journal holds; at the end, for as long as `drain_timeout` allows.
struct DeliveryService: Service {
    let assembly: Assembly
    /// Nil where nobody is told what became of what came.
    let lifeline: Lifeline?
    let logger: Logger

    func run() async {
        let balance = lifeline.map { _ in ExecBalance(of: assembly) }
        assembly.startDelivering()
        try? await gracefulShutdown()
        await assembly.prepareToStop()
        await drain()
        assembly.endWaits()
        await assembly.stopDelivering()
        if let telemetry = assembly.telemetry { await flush(telemetry) }
        await assembly.exporters.close()
        if let balance, lifeline?.wantsBalance ?? false { writeLine(await balance.line, to: .standardError) }
        let fate = assembly.keepsUndelivered ? "items stay in the journal" : "items are lost with the process"
        for (name, queued) in assembly.queuedByDestination where queued > 0 {
            logger.notice("\(fate)", metadata: ["destination": "\(name)", "items": "\(queued)"])
        }
    }

    /// Sends what was recorded at the end, for a second at most.
    private func flush(_ telemetry: TelemetrySender) async {
        await withTaskGroup { group in
            group.addTask { try? await Task.sleep(for: .seconds(1)) }
            group.addTask { await telemetry.flush() }
            await group.next()
            group.cancelAll()
        }
    }

    private func drain() async {
        await withTaskGroup { group in
            group.addTask { try? await Task.sleep(for: assembly.drainTimeout) }
            group.addTask { await deliverRest() }
            await group.next()
            group.cancelAll()
        }
    }

    /// Until everything is delivered, or every destination that is left is down.
    private func deliverRest() async {
        for delivery in assembly.deliveries where !delivery.isBehindWindow { delivery.beginDraining() }
        await withDiscardingTaskGroup { drains in
            for window in assembly.windows {
                drains.addTask { await window.drain(decidingAll: !assembly.keepsUndelivered) }
            }
        }
        for delivery in assembly.deliveries { delivery.beginDraining() }
        // Those drain already.
        let leaving = assembly.leaving
        repeat {
            await withDiscardingTaskGroup { drains in
                for delivery in assembly.deliveries {
                    drains.addTask { await delivery.drain(stopsWhileDown: true) }
                }
                drains.addTask { await end(of: leaving) }
            }
        } while !Task.isCancelled && (assembly.deliveries + leaving).contains(where: \.canDrainOn)
    }

    /// Until deliveries that drain already have nothing left, or their destinations are down.
    private func end(of leaving: [Delivery]) async {
        while leaving.contains(where: \.canDrainOn) {
            guard (try? await Task.sleep(for: .milliseconds(20))) != nil else { return }
        }
    }
}

/// Gives memory back that is not in use.
struct MemoryService: Service {
    private static let interval = Duration.seconds(5)
    /// A minute.
    private static let looksMax = 12

    func run() async {
        try? await cancelWhenGracefulShutdown { try await Self.watch() }
    }

    /// Until it is cancelled.
    private static func watch() async throws {
        var schedule = ReleaseSchedule(work: interval / 50, looksMax: looksMax, since: ProcessUsage.cpuTime)
        while true {
            try await Task.sleep(for: interval)
            if schedule.isDue(ProcessUsage.cpuTime) { ProcessUsage.releaseMemory() }
        }
    }
}

/// Takes requests; at the end, when the deliveries have drained, finishes those it has received.
struct ReceiverService: Service {
    let assembly: Assembly
    /// For whoever started the process on a terminal; nil where `millrace exec` did.
    let greeting: Greeting?
    /// Nil where nobody waits for the start.
    let lifeline: Lifeline?

    func run() async throws {
        do {
            try await assembly.startReceiving()
        } catch {
            throw StartError("a receiver \(error); its \"listen\" in the pipeline file names another address")
        }
        lifeline?.partIsUp()
        if let greeting, Output.standardError.isTerminal { writeLine(greeting.text, to: .standardError) }
        try? await gracefulShutdown()
        await assembly.stopReceiving()
    }
}

/// Has the pipeline file read again when it changes.
struct WatchService: Service {
    /// Nil where nobody asked for that.
    let watch: FileWatch?
    let reloader: Reloader

    func run() async {
        guard let watch else { return await waitForEnd() }
        watch.start { Task { await reloader.reload() } }
        try? await gracefulShutdown()
        watch.stop()
    }

    private func waitForEnd() async { try? await gracefulShutdown() }
}
