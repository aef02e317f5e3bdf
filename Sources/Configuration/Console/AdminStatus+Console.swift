import Admin
import Basics
import Pipeline

// What the console page asks for beyond what tools do.
extension AdminStatus {
    var ledger: Ledger {
        Ledger(of: journal) { ground.tallies.refusedItems(before: $0) }
    }

    var deliveries: [Delivery] { parts.map { $0.deliveries + $0.leaving } ?? [] }

    var configurationJSON: [UInt8] {
        let file = parts?.file ?? PipelineFile()
        return Array(#"{"hash":"\#(file.source.digest)","file":\#(file.printed)}"#.utf8)
    }

    var statusJSON: [UInt8] {
        var status = ConsoleStatus(self)
        return status.json()
    }

    var servicesJSON: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("seconds")
        writer.double(clock.sinceBoot().inSeconds)
        writer.key("rows_max")
        writer.integer(ServiceActivity.rowsMax)
        let now = clock.now()
        writer.key("services")
        writer.beginArray()
        for row in meters.services.rows { writer.write(row, now: now) }
        writer.endArray()
        writer.key("arrivals")
        writer.beginArray()
        for row in meters.arrivals.rows { writer.write(arrival: row, now: now) }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }

    func tail(_ wish: TailWish) throws(TailProblem) -> any AdminTail {
        try ConsoleTail(meters.tap, wish) { [weak self] in self?.parts?.file ?? PipelineFile() }
    }

    func answer(trace id: String) async -> DeadLetterOffice.Answer { await traces.answer(id) }

    func set(paused isPaused: Bool, _ destination: ConsoleDestination) -> DeadLetterOffice.Answer {
        let chosen = deliveries.filter { delivery in
            delivery.name == destination.exporter
                && (destination.pipeline == nil || destination.pipeline == delivery.pipeline)
        }
        guard !chosen.isEmpty else {
            let names = Set(deliveries.map(\.name)).sorted().joined(separator: ", ")
            return .unknown("no exporter \"\(destination.exporter.excerpt())\" delivers; those that do: \(names)")
        }
        let changed = chosen.count { $0.setPaused(isPaused) }
        return .done(Array(#"{"changed":\#(changed),"paused":\#(isPaused)}"#.utf8))
    }
}

extension JSONWriter {
    /// A row of the table.
    fileprivate mutating func write(_ row: ServiceActivity.Row, now: UnixTime) {
        beginObject()
        write(row.key) { writer, key in
            writer.key("experiment")
            switch key.route {
            case .none: writer.null()
            case .experimentName(let name), .experimentID(let name): writer.string(name)
            }
        }
        key("spans")
        integer(row.sums.spans)
        key("errors")
        integer(row.sums.errors)
        key("tokens")
        integer(row.sums.tokens)
        key("cost")
        double(row.sums.cost)
        write(seen: row, now: now)
        endObject()
    }

    /// What came of a service before a window.
    fileprivate mutating func write(arrival row: ServiceActivity.Row, now: UnixTime) {
        beginObject()
        write(row.key) { _, _ in }
        key("spans")
        integer(row.sums.spans)
        write(seen: row, now: now)
        endObject()
    }

    private mutating func write(
        _ key: ServiceActivity.Key?,
        _ more: (inout JSONWriter, ServiceActivity.Key) -> Void
    ) {
        guard let key else {
            self.key("others")
            return bool(true)
        }
        self.key("pipeline")
        string(key.pipeline)
        self.key("service")
        string(key.service.text)
        more(&self, key)
    }

    private mutating func write(seen row: ServiceActivity.Row, now: UnixTime) {
        key("first_seen_seconds_ago")
        double(max(0, now.since(row.firstSeen).inSeconds))
        key("last_seen_seconds_ago")
        double(max(0, now.since(row.lastSeen).inSeconds))
    }
}
