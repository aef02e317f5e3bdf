import Basics
import Journal
import OTLP
import Pipeline
import Settings

/// What the console page draws, as JSON: totals since the process started and the present state, of which the page makes rates.
///
/// The form is described in pipelines/docs/console.md. Read on the admin endpoint's thread; never blocks for more than a lock and
/// a question to the disk about its free space.
struct ConsoleStatus {
    let status: AdminStatus
    private var writer = JSONWriter(reservingCapacity: 8192)
    private let now: UnixTime

    init(_ status: AdminStatus) {
        self.status = status
        now = status.clock.now()
    }

    /// All of it.
    mutating func json() -> [UInt8] {
        writer.beginObject()
        write("at", now.text)
        write("seconds", status.clock.sinceBoot().inSeconds)
        write("version", Product.version)
        let reasons = status.unreadyReasons
        writer.key("ready")
        writer.bool(reasons.isEmpty)
        writeArray("reasons", reasons) { $0.string($1) }
        writeProcess()
        writeJournal()
        writePipelines()
        writeDeviations()
        writeRefusals()
        writeArray("events", status.meters.events.events) { writer, event in
            writer.beginObject()
            writer.key("at")
            writer.string(event.time.text)
            writer.key("kind")
            writer.string(event.kind.rawValue)
            writer.key("name")
            writer.string(event.name)
            writer.key("text")
            writer.string(event.text)
            writer.endObject()
        }
        writer.endObject()
        return writer.bytes
    }

    private mutating func writeProcess() {
        writer.key("process")
        writer.beginObject()
        write("started_at", status.start.text)
        // What tells processes apart.
        write("started_ns", "\(status.start.nanoseconds)")
        write("uptime_seconds", max(0, now.since(status.start).inSeconds))
        write("resident_bytes", ProcessUsage.resident.bytes)
        write("cpu_seconds", ProcessUsage.cpuTime.inSeconds)
        writer.endObject()
    }

    private mutating func writeJournal() {
        let room = status.journal.room
        let statistics = status.journal.pipelines.map(\.statistics)
        writer.key("journal")
        writer.beginObject()
        write("used_bytes", room.used)
        write("left_bytes", room.left)
        write("filled_bytes", statistics.reduce(0) { $0 + $1.filledBytes })
        write("stored_items", statistics.reduce(0) { $0 + Int(clamping: $1.nextID - $1.firstID) })
        writer.endObject()
    }

    private mutating func writeDeviations() {
        let samples = status.meters.samples(of: "millrace_receiver_deviations_").sorted { $0.value > $1.value }
        writeArray("deviations", samples) { writer, sample in
            writer.beginObject()
            for label in ["client", "kind", "receiver", "signal"] {
                writer.key(label)
                writer.string(sample.labels[label] ?? "others")
            }
            writer.key("count")
            writer.double(sample.value)
            writer.endObject()
        }
    }

    private mutating func writeRefusals() {
        let now = now
        writeArray("refusals", status.meters.refusals.rows) { writer, row in
            writer.beginObject()
            if let key = row.key {
                for (name, text) in [
                    ("client", key.client), ("receiver", key.receiver), ("signal", key.signal.name),
                    ("reason", key.reason), ("message", row.message),
                ] {
                    writer.key(name)
                    writer.string(text)
                }
            }
            writer.key("requests")
            writer.integer(row.requests)
            writer.key("items")
            writer.integer(row.items)
            writer.key("seconds_ago")
            writer.double(max(0, now.since(row.lastSeen).inSeconds))
            writer.endObject()
        }
    }

    private mutating func writePipelines() {
        let counts = ConsoleCounts(status.meters)
        writer.key("pipelines")
        writer.beginArray()
        for entry in status.ledger.entries {
            let place = [entry.log.pipeline, entry.log.signal.name]
            writer.beginObject()
            write("name", entry.log.pipeline)
            write("signal", entry.log.signal.name)
            write("items", entry.log.signal.items)
            write("accepted", Int(clamping: entry.accepted))
            write("refused", entry.refused)
            write("receivers", counts.receivers[place] ?? [:])
            write("processors", counts.processors[place] ?? [:])
            writer.key("destinations")
            writer.beginArray()
            for (name, account) in entry.destinations { write(name, account, entry.log, counts) }
            writer.endArray()
            writer.endObject()
        }
        writer.endArray()
    }

    private mutating func write(_ name: String, _ account: DestinationAccount, _ log: LogID, _ counts: ConsoleCounts) {
        writer.beginObject()
        write("name", name)
        write("since", account.since.text)
        write("accepted", Int(clamping: account.accepted))
        for outcome in Outcome.allCases { write(outcome.word, Int(clamping: account.outcomes[outcome])) }
        write("joined", Int(clamping: account.joined))
        write("created", Int(clamping: account.created))
        write("queued", Int(clamping: account.queued))
        write("oldest_queued_seconds", account.oldestQueuedAge(now: now))
        writer.key("attempts")
        write(counts.attempts[[log.pipeline, log.signal.name, name]] ?? [:])
        writer.key("window")
        writer.bool(status.parts?.file.processors.contains { $0.name == name } ?? false)
        let delivery = status.deliveries.first { $0.name == name && $0.log?.front == log.front }
        writer.key("delivery")
        if let delivery { write(delivery.condition) } else { writer.null() }
        writer.endObject()
    }

    private mutating func write(_ condition: DeliveryCondition) {
        writer.beginObject()
        write("circuit", condition.circuit.rawValue)
        writer.key("paused")
        writer.bool(condition.isPaused)
        write("under_way", condition.underWay)
        write("parked_records", condition.parkedRecords)
        write("failures_in_a_row", condition.failuresInARow)
        writer.key("next_try_seconds")
        if let next = condition.nextTry { writer.double(next.inSeconds) } else { writer.null() }
        writer.key("last_delivered_at")
        if let time = condition.lastDelivered { writer.string(time.text) } else { writer.null() }
        if !condition.endpoints.isEmpty {
            writeArray("endpoints", condition.endpoints) { writer, endpoint in
                writer.beginObject()
                writer.key("address")
                writer.string(endpoint.address)
                writer.key("circuit")
                writer.string(endpoint.circuit.rawValue)
                writer.key("in_use")
                writer.bool(endpoint.isInUse)
                writer.endObject()
            }
        }
        writer.key("error")
        if let failure = condition.lastFailure { write(failure) } else { writer.null() }
        writer.endObject()
    }

    private mutating func write(_ failure: DeliveryFailure) {
        writer.beginObject()
        write("at", failure.time.text)
        write("seconds_ago", max(0, now.since(failure.time).inSeconds))
        write("outcome", failure.outcome)
        write("reason", failure.reason)
        write("body", failure.body)
        write("attempt", failure.attempt)
        write("items", failure.items)
        writer.endObject()
    }

    private mutating func write(_ name: String, _ counts: [String: [String: Double]]) {
        writer.key(name)
        writer.beginObject()
        for (component, values) in counts.sorted(by: { $0.key < $1.key }) {
            writer.key(component)
            write(values)
        }
        writer.endObject()
    }

    private mutating func write(_ values: [String: Double]) {
        writer.beginObject()
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            writer.key(name)
            writer.double(value)
        }
        writer.endObject()
    }

    private mutating func writeArray<Values: Sequence>(
        _ name: String,
        _ values: Values,
        _ write: (inout JSONWriter, Values.Element) -> Void
    ) {
        writer.key(name)
        writer.beginArray()
        for value in values { write(&writer, value) }
        writer.endArray()
    }

    private mutating func write(_ name: String, _ value: String) {
        writer.key(name)
        writer.string(value)
    }

    private mutating func write(_ name: String, _ value: Int) {
        writer.key(name)
        writer.integer(value)
    }

    private mutating func write(_ name: String, _ value: Double) {
        writer.key(name)
        writer.double(value)
    }
}

/// The counters of components, by pipeline and signal, as `/metrics` has them.
struct ConsoleCounts {
    /// By pipeline and signal: of each receiver what it accepted, and by reason what it refused.
    private(set) var receivers: [[String]: [String: [String: Double]]] = [:]
    /// By pipeline and signal: of each processor its counters, by what they count.
    private(set) var processors: [[String]: [String: [String: Double]]] = [:]
    /// By pipeline, signal and exporter: attempts by outcome.
    private(set) var attempts: [[String]: [String: Double]] = [:]

    init(_ meters: Meters) {
        for sample in meters.samples(of: "millrace_receiver_") {
            guard let name = sample.labels["receiver"], let place = sample.place else { continue }
            let count = sample.name.hasPrefix("accepted_") ? "accepted" : sample.labels["reason"] ?? sample.name
            receivers[place, default: [:]][name, default: [:]][count, default: 0] += sample.value
        }
        for sample in meters.samples(of: "millrace_processor_") {
            guard let name = sample.labels["processor"], let place = sample.place else { continue }
            let count = String(sample.name.dropLast("_total".count))
            processors[place, default: [:]][name, default: [:]][count, default: 0] += sample.value
        }
        for sample in meters.samples(of: "millrace_exporter_attempts_") {
            guard let name = sample.labels["exporter"], let place = sample.place,
                let outcome = sample.labels["outcome"]
            else { continue }
            attempts[place + [name], default: [:]][outcome, default: 0] += sample.value
        }
    }
}

extension Meters.Sample {
    /// The pipeline and signal that it is of; nil where it is of none.
    fileprivate var place: [String]? {
        guard let pipeline = labels["pipeline"], let signal = labels["signal"] else { return nil }
        return [pipeline, signal]
    }
}
