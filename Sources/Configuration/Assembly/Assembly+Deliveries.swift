import Basics
import Journal
import Logging
import OTLP
import Pipeline
import Synchronization

// Exporters that come, change and go while the process runs.
extension Assembly {
    /// Lines for what keeps a file from being taken because of what waits for exporters now.
    func heldBack(by old: RunningParts, from file: PipelineFile, abandoning: [String]) -> [String] {
        var lines: [String] = []
        for delivery in old.deliveries {
            guard let log = delivery.log, !file.delivers(to: delivery.name, from: log),
                !abandoning.contains(delivery.name), delivery.isCircuitOpen
            else { continue }
            let waiting = account(of: delivery)?.queued ?? 0
            guard waiting > 0 else { continue }
            let destination = "\(delivery.name) of pipeline \(log.pipeline)"
            let what = "\(waiting) \(log.signal.items) wait for \(destination), which is down"
            let remedy = "have it as before, or give them up with --abandon \(delivery.name)"
            lines.append(file.source.line(at: ["exporters"], "\(what); \(remedy)"))
        }
        for delivery in old.leaving {
            guard let log = delivery.log, file.delivers(to: delivery.name, from: log) else { continue }
            let when = "when it was removed from pipeline \(log.pipeline)"
            let what = "\(delivery.name) still delivers what was there \(when)"
            let path = ["exporters", delivery.name]
            lines.append(file.source.line(at: path, "\(what); it can come back when that is done"))
        }
        return lines
    }

    private func account(of delivery: Delivery) -> DestinationAccount? {
        guard let log = delivery.log, let reader = journal.log(log)?.reader(named: delivery.name) else { return nil }
        return journal.account(of: reader, in: log)
    }

    /// Defines logs and readers that are new in a file.
    ///
    /// - Returns: The readers that exporters have of pipelines' logs.
    func define(_ file: PipelineFile, building thread: SerialThread) async throws(PipelineFileError) -> [ReaderID] {
        let new: [ReaderID]
        do throws(JournalError) {
            new = try await journal.define(file.logs)
        } catch {
            throw PipelineFileError(lines: [file.source.line(at: ["journal"], "\(error)")])
        }
        let destinations = new.filter { $0.log.kind == .pipeline }
        let boxes = destinations.compactMap { DeadLetterBox(of: $0.name, in: $0.log, journal: journal) }
        if !boxes.isEmpty {
            // What another process may have left behind; nothing is delivered before that.
            await thread.run { [journal] in
                for box in boxes { box.recover() }
                journal.persistCursors()
            }
            parts.withLock { $0.deadLetters += boxes }
        }
        if !new.isEmpty { shareAnew() }
        return destinations
    }

    /// Routes share the journal among the destinations that there are now.
    private func shareAnew() {
        ground.store.shares.change(logs: journal.pipelines, parkedLogs: journal.logs.filter { $0.id.kind == .parked })
    }

    /// Deliveries for readers that are new.
    func newDeliveries(_ readers: [ReaderID], _ file: PipelineFile, _ old: RunningParts) -> [Delivery] {
        let parts = DeliveryParts(
            store: ground.store,
            deadLetters: parts.withLock { $0.deadLetters },
            exporters: old.exporters,
            telemetry: ground.telemetry,
            meters: ground.meters,
            logger: ground.logger
        )
        status.registerLogs()
        return readers.compactMap { id in
            guard let log = journal.log(id.log), let reader = log.reader(named: id.name), !reader.isWindow else {
                return nil
            }
            status.register(reader, of: id.log)
            return try? file.delivery(of: reader, from: log, parts)
        }
    }

    /// Begins to deliver.
    func startDelivering(_ deliveries: [Delivery]) {
        for delivery in deliveries { work.start(delivery) { await delivery.run() } }
    }

    /// Lets deliveries go on as a file says; those of the exporters in `changed` send otherwise than before.
    func changeDeliveries(to file: PipelineFile, _ changed: Set<String>) {
        let count = journal.destinations.count
        for delivery in parts.withLock({ $0.deliveries }) {
            guard let log = delivery.log,
                let settings = file.deliverySettings(of: delivery.name, from: log, among: count)
            else { continue }
            delivery.change(settings, isOtherwise: changed.contains(delivery.name))
        }
    }

    /// Deliveries that a file has no more end with what is there for them now, or at once where that is given up.
    ///
    /// Those of logs that the file has no more get what is on its way there, too: it is acknowledged.
    func dismissDeliveries(
        of file: PipelineFile,
        abandoning: [String],
        behind intakeEnd: IntakeLease.End
    ) async {
        let gone = parts.withLock { parts in
            let gone = parts.deliveries.filter { delivery in
                delivery.log.map { !file.delivers(to: delivery.name, from: $0) } ?? false
            }
            parts.deliveries.removeAll { delivery in gone.contains { $0 === delivery } }
            parts.leaving += gone
            return gone
        }
        guard !gone.isEmpty else { return }
        for delivery in gone {
            guard let log = delivery.log else { continue }
            let isGivenUp = abandoning.contains(delivery.name)
            let isLogGone = !file.logs.contains { $0.id == log }
            if !isLogGone { journal.leave(ReaderID(delivery.name, of: log)) }
            if isGivenUp, !isLogGone {
                await giveUp(delivery)
                continue
            }
            let farewell = Farewell()
            work.start(farewell) {
                if isLogGone {
                    await intakeEnd.wait()
                    self.journal.leave(ReaderID(delivery.name, of: log))
                }
                if isGivenUp { return await self.giveUp(delivery) }
                await delivery.drain()
                // Cancelled at the end of the process, which ends all deliveries.
                if !Task.isCancelled { await self.retire(delivery) }
            }
        }
        shareAnew()
    }

    private func giveUp(_ delivery: Delivery) async {
        await retire(delivery)
        _ = journal.abandon(reader: delivery.name)
    }

    /// Names the end of a delivery among all work.
    private final class Farewell: Sendable {}

    /// Ends a delivery, its readers, and its exporter where that has no other.
    private func retire(_ delivery: Delivery) async {
        await work.end(delivery)
        guard let log = delivery.log else { return }
        for log in [log, LogID(parkedBy: delivery.name, in: log), LogID(deadLettersOf: delivery.name, in: log)] {
            await journal.retire(ReaderID(delivery.name, of: log))
        }
        journal.forgetUnread()
        shareAnew()
        let isUnused = parts.withLock { parts in
            parts.leaving.removeAll { $0 === delivery }
            parts.deadLetters.removeAll { $0.main == log && $0.exporter == delivery.name }
            return !(parts.deliveries + parts.leaving).contains { $0.name == delivery.name }
        }
        if isUnused { await exporters.remove(delivery.name) }
        ground.logger.notice(
            "an exporter that is gone from the pipeline file has ended",
            metadata: ["exporter": "\(delivery.name)", "pipeline": "\(log.pipeline)"]
        )
    }
}

extension PipelineFile {
    /// Whether an exporter gets what is in a pipeline's log.
    func delivers(to exporter: String, from log: LogID) -> Bool {
        logs.contains { $0.id == log && $0.readers.contains { $0.name == exporter } }
    }
}
