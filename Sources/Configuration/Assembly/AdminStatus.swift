import Admin
import Basics
import Journal
import OTLP
import Pipeline
import Receivers
import Settings
import Synchronization

/// The assembly, as long as there is one.
final class WeakAssembly: Sendable {
    private weak let assembly: Assembly?

    init(_ assembly: Assembly) {
        self.assembly = assembly
    }

    /// What runs now.
    var parts: RunningParts? { assembly?.parts.withLock { $0 } }
    var whole: Assembly? { assembly }
}

/// What operators may see of the running process.
final class AdminStatus: AdminSource {
    let journal: Journal
    let ground: Ground
    let clock = WallClock.system
    let start = WallClock.system.now()
    let traces: ConsoleTraces
    /// Set once it is built.
    let assembly = Mutex<WeakAssembly?>(nil)

    init(journal: Journal, ground: Ground) {
        (self.journal, self.ground) = (journal, ground)
        traces = ConsoleTraces(TraceSearch(journal))
    }

    var parts: RunningParts? { assembly.withLock { $0 }?.parts }
    var meters: Meters { ground.meters }

    var unreadyReasons: [String] {
        ground.readiness.reasons + (parts?.windows.values.compactMap(\.trouble) ?? []) + receiverTroubles
    }

    /// Of a process that takes from elsewhere alone: one that listens can be sent to all the same.
    private var receiverTroubles: [String] {
        guard let parts, parts.file.receivers.allSatisfy({ $0.settings.address == nil }) else { return [] }
        return parts.receivers.compactMap { name, receiver in receiver.trouble.map { "receiver \(name): \($0)" } }
            .sorted()
    }

    var metricsText: String { meters.prometheusText() }
    /// What the process says of itself where others of its cluster ask.
    var report: JSON {
        let admin = assembly.withLock { $0 }?.whole?.admin.boundAddress?.description
        let ledger = (try? JSONNode(parsing: ledgerJSON)).map { JSON($0) } ?? [:]
        let receivers = (parts?.file.receivers ?? []).map { receiver in
            let readers = parts?.file.pipelines.filter { $0.value.receivers.contains(receiver.name) } ?? []
            return JSON.Member(receiver.name, .words(readers.map(\.name)))
        }
        return [
            "host": .text(ProcessUsage.host), "process": .integer(ProcessUsage.number),
            "admin": admin.map { .text($0) } ?? .null, "version": .text(Product.version),
            "started": .text(start.text), "pipelines_of": .object(receivers), "ledger": ledger,
        ]
    }

    var ledgerJSON: [UInt8] { ledger.json(now: clock.now()) }

    func answer(_ request: DeadLetterOffice.Request) async -> DeadLetterOffice.Answer {
        let office = DeadLetterOffice((parts?.deadLetters ?? []) + DeadLetterBox.gone(from: journal))
        return await office.answer(request)
    }

    func reload(_ request: ReloadRequest) async -> ReloadAnswer {
        guard let reload = assembly.withLock({ $0 })?.whole?.reloading.withLock({ $0 }) else {
            return ReloadAnswer(problems: ["the process takes no other pipeline file now"])
        }
        return await reload(request)
    }

    /// Registers what is read when somebody asks, instead of counted when it happens.
    func registerReadings() {
        registerLogs()
        for log in journal.pipelines {
            for reader in log.readers where !reader.isWindow { register(reader, of: log.id) }
        }
        ground.lastReload.register(with: meters)
        meters.gauge("millrace_journal_room_bytes") { [journal] in Double(journal.room.left) }
        meters.gauge("millrace_process_resident_bytes") { Double(ProcessUsage.resident.bytes) }
        meters.counter("millrace_process_cpu_seconds_total") { ProcessUsage.cpuTime.inSeconds }
        let start = Double(start.nanoseconds) / 1e9
        meters.gauge("millrace_process_start_seconds") { start }
    }

    /// Registers what is read of the logs that there are now.
    func registerLogs() {
        for (front, logs) in Dictionary(grouping: journal.pipelines, by: \.id.front) {
            let labels = ["pipeline": front.pipeline, "signal": front.signal.name]
            let sum = { @Sendable (value: (LogStatistics) -> Double) in logs.reduce(0) { $0 + value($1.statistics) } }
            meters.gauge("millrace_journal_bytes", labels) { sum { Double($0.bytes) } }
            meters.gauge("millrace_journal_segments", labels) { sum { Double($0.segments) } }
            meters.counter("millrace_journal_lost_\(front.signal.itemsName)_total", labels) {
                sum { Double($0.lostItems) }
            }
        }
    }

    /// Registers what is read of one destination.
    func register(_ reader: LogReader, of log: LogID) {
        let labels = ["pipeline": log.pipeline, "exporter": reader.name, "signal": log.signal.name]
        let (journal, clock, items) = (journal, clock, log.signal.itemsName)
        let account = { @Sendable in journal.account(of: reader, in: log) }
        meters.gauge("millrace_exporter_queued_\(items)", labels) { Double(account().queued) }
        meters.gauge("millrace_exporter_oldest_queued_seconds", labels) { account().oldestQueuedAge(now: clock.now()) }
        meters.counter("millrace_exporter_expired_\(items)_total", labels) { Double(account().outcomes[.expired]) }
    }
}
