package import Basics
package import Logging
package import Pipeline
import Synchronization

/// Writes batches to a file; one counts as delivered when it is on the disk.
///
/// A full disk, a missing right or any other trouble is tried again, and nothing is lost meanwhile: the journal keeps
/// it.
package final class FileExporter: Exporter {
    private let settings: FileSettings
    private let thread: SerialThread
    private let encoder: BodyEncoder
    private let clock: MonotonicClock
    private let logger: Logger
    /// Locked on `thread` alone, so never for long.
    private let file: Mutex<RotatingFile>

    /// - Parameters:
    ///   - settings: What to write where.
    ///   - thread: Runs everything that waits for the disk.
    ///   - encoder: Writes JSON.
    ///   - clock: For the age of files.
    ///   - logger: Tells of torn records, and of files that are moved aside.
    package init(
        _ settings: FileSettings,
        thread: SerialThread,
        encoder: BodyEncoder,
        clock: MonotonicClock = .system,
        logger: Logger
    ) {
        self.settings = settings
        self.thread = thread
        self.encoder = encoder
        self.clock = clock
        self.logger = logger
        file = Mutex(RotatingFile(settings))
    }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        guard !batch.payload.isEmpty else { return .delivered }
        guard let record = await record(of: batch) else {
            return .refused(Rejection(status: nil, reason: "the batch cannot be written as JSON"))
        }
        return await thread.run { self.write(record) }
    }

    package func close() async {
        await thread.run { self.file.withLock { $0.close() } }
    }

    private func record(of batch: Batch) async -> [UInt8]? {
        guard settings.format == .json else { return batch.payload }
        return await encoder.json(batch.payload, batch.signal)
    }

    private func write(_ record: [UInt8]) -> DeliveryOutcome {
        let now = clock.now()
        var findings: [FileFinding] = []
        let trouble = file.withLock { file -> FileTrouble? in
            do throws(FileTrouble) {
                try file.append(record, now: now, noting: &findings)
                return nil
            } catch {
                return error
            }
        }
        for finding in findings { logger.warning("\(finding)") }
        return trouble.map { .unavailable(reason: $0.description, after: nil) } ?? .delivered
    }
}
