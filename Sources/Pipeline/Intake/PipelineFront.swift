import Basics
package import Journal
package import OTLP

/// The front half of one pipeline for one signal: processors, then records for its log.
package struct PipelineFront: Sendable {
    /// The log that takes its records.
    package let log: LogID
    /// What it takes.
    package let signal: Signal
    private let processors: [any SpanProcessor]
    private let forwardedHeaders: Set<String>
    private let itemsMax: Int
    /// Where an exporter files what no processor routes; nil where none has such places.
    private let unrouted: Route?
    /// What reads the log by traces, so that each record holds items of one trace; nil where nothing does.
    private let window: (any WindowedProcessor)?
    /// What chooses the routes of whole traces.
    private let routers: [any ForeseeingProcessor]
    /// Items accepted and refused since the process started.
    package let tally: IntakeTally

    /// - Parameters:
    ///   - log: The log that takes its records.
    ///   - processors: Those that take the signal, in the order of the pipeline file.
    ///   - forwardedHeaders: Names in lower case of headers that are kept with the records.
    ///   - itemsMax: Items in one record at most, as far as a request can be divided: what is sent at once needs not be taken apart.
    ///   - unrouted: Where an exporter of the pipeline files items without a route; nil where none has such places.
    ///   - window: What reads the log by traces; each record holds items of one trace then, however many.
    ///   - routers: What chooses the routes of whole traces behind the window.
    ///   - tally: Counts what is accepted and refused.
    package init(
        log: LogID,
        processors: [any SpanProcessor],
        forwardedHeaders: Set<String>,
        itemsMax: Int,
        unrouted: Route? = nil,
        window: (any WindowedProcessor)? = nil,
        routers: [any ForeseeingProcessor] = [],
        tally: IntakeTally
    ) {
        self.log = log
        signal = log.signal
        self.processors = processors
        self.forwardedHeaders = forwardedHeaders
        self.itemsMax = itemsMax
        self.unrouted = unrouted
        self.window = window
        self.routers = routers
        self.tally = tally
    }

    /// Runs the processors over one request's valid spans and says what to append: one record a route, or several.
    ///
    /// The first record also accounts for what processors removed; where nothing else is left, a record holds only counts.
    /// They are charged to `memory`; `whenRefused` gets what is to be done where the request is refused, here or later. Throws, and counts nothing, where the request costs too much for its size, there is no
    /// memory for it, or some of it would go where its client may not send.
    func records(
        for spans: Envelope,
        from source: RequestSource,
        at time: UnixTime,
        _ account: RequestAccount,
        _ memory: inout RequestMemory,
        _ whenRefused: inout [@Sendable () -> Void]
    ) throws(Refused) -> [IntakeRecord] {
        var work = SpanWork(batch: spans, source: source, receivedAt: time, account: account)
        work.addedMax = memory.addedMax(to: spans.bytes.count)
        if window != nil, signal == .traces { work.leaveTombstones() }
        for processor in processors where work.refusal == nil { processor.process(&work) }
        whenRefused += work.whenRefused
        try memory.add(work.tombstoneBytes)
        if let refusal = work.refusal { throw Refused(refusal) }
        if work.isRewritten { try memory.check(work.batch.bytes.count + work.batch.indexBytes) }
        let traces = divide(&work)
        var metadata = RecordMetadata(
            signal: signal,
            identity: source.identity?.name,
            headers: source.headers.filter { forwardedHeaders.contains($0.name) },
            removed: work.batch.removedOutcomes,
            address: source.address,
            request: source.trace?.context
        )
        if window != nil { metadata.experiments = source.identity?.experiments?.entries ?? [] }
        var (writer, services) = (MetadataWriter(), GroupServices())
        do throws(CostExcess) { try work.account.check() } catch { throw Refused(error) }
        try checkRoutes(of: work)
        let kept = work.keptTraces(traces)
        var records = try recordsOfDropped(&work, beside: kept, &metadata, &memory)
        var removed = Int(metadata.removed.sum)
        for group in work.batch.groups {
            let encoded = try written(group, &work, memory)
            metadata.route = work.routes[Int(group.number)]
            let trace = traces[Int(group.number)] ?? (window != nil && signal == .traces ? TraceID.zero : nil)
            metadata.trace = trace.map { work.mark($0, group, &services) }
            metadata.tombstones = trace.map { work.takeTombstones(of: $0) } ?? []
            let items = encoded.items + removed
            let text = writer.write(metadata)
            records.append(try held(record(.items, items: items, metadata, text, encoded.payload), &memory))
            metadata.removed = [:]
            removed = 0
        }
        if signal == .traces, !records.isEmpty {
            let noted = notedServices(of: work, at: time)
            try memory.add(noted.bytes)
            records[0].services = noted
        }
        if removed > 0 {
            (metadata.trace, metadata.tombstones) = (nil, [])
            records.append(try held(record(.counts, items: removed, metadata, metadata.encoded(), []), &memory))
        }
        tally.process(work.tally)
        return records
    }

    /// What a request counts for: behind a window spans are counted when it is decided where they go, and these are arrivals.
    private func notedServices(of work: SpanWork, at time: UnixTime) -> NotedServices {
        NotedServices(
            activity: window == nil ? tally.services : tally.arrivals,
            pipeline: log.pipeline,
            counts: work.services { window == nil ? work.routes[Int($0)] : .none },
            time: time
        )
    }

    /// A record for each trace of which only tombstones are left; it stands for the spans that were dropped.
    private func recordsOfDropped(
        _ work: inout SpanWork,
        beside kept: Set<TraceID>,
        _ metadata: inout RecordMetadata,
        _ memory: inout RequestMemory
    ) throws(Refused) -> [IntakeRecord] {
        var records: [IntakeRecord] = []
        for (trace, tombstones) in work.tombstones ?? [:] where !kept.contains(trace) {
            guard records.count < Tombstone.recordsMax else { break }
            var own = metadata
            own.removed = [.filtered: UInt64(tombstones.count)]
            metadata.removed[.filtered] -= UInt64(tombstones.count)
            own.route = work.source.route
            own.trace = TraceMark(trace: trace, isBound: work.source.identity?.experiments != nil)
            own.tombstones = tombstones
            records.append(try held(record(.items, items: tombstones.count, own, own.encoded(), []), &memory))
        }
        return records
    }

    /// Divides what is too much for one record, or is of several traces.
    ///
    /// - Returns: By output group the trace that it has to be known by; nil where that does not matter.
    private func divide(_ work: inout SpanWork) -> [TraceID?] {
        if let window { return work.divideByTrace(for: window) }
        work.divide(itemsMax: itemsMax)
        return Array(repeating: nil, count: work.routes.count)
    }

    /// Throws where something that is kept would go to an experiment that is not one of the client's.
    private func checkRoutes(of work: SpanWork) throws(Refused) {
        guard let identity = work.source.identity, identity.experiments != nil else { return }
        // Each of the spans may turn out to be the root.
        for route in routers.lazy.flatMap({ $0.routes(foreseenFor: work) }) {
            if let reason = identity.refusal(of: route) { throw .forbidden(reason) }
        }
        guard routers.isEmpty else { return }
        for group in work.batch.groups {
            let route = work.routes[Int(group.number)]
            guard let place = route == .none ? unrouted : route, let reason = identity.refusal(of: place) else {
                continue
            }
            throw .forbidden(reason)
        }
    }

    /// Writes a group, for which there is memory, whatever others have been written.
    private func written(
        _ group: UnitGroup,
        _ work: inout SpanWork,
        _ memory: RequestMemory
    ) throws(Refused) -> EncodedUnits {
        if work.batch.isMarked { try memory.check(work.batch.bytes.count + 2 * work.batch.addedBytes) }
        do throws(CostExcess) {
            return try work.batch.encoded(group, charging: &work.account)
        } catch {
            throw Refused(error)
        }
    }

    /// A record that is charged to its request.
    private func held(_ record: IntakeRecord, _ memory: inout RequestMemory) throws(Refused) -> IntakeRecord {
        try memory.add(record.bytes)
        return record
    }

    private func record(
        _ kind: RecordKind,
        items: Int,
        _ metadata: RecordMetadata,
        _ encoded: [UInt8],
        _ payload: [UInt8]
    ) -> IntakeRecord {
        let record = NewRecord(
            log: log,
            kind: kind,
            items: UInt32(clamping: items),
            metadata: encoded,
            payload: payload
        )
        return IntakeRecord(record: record, key: metadata.key(in: log))
    }
}

extension Envelope {
    /// Spans that left the batch after they were accepted.
    fileprivate var removedOutcomes: OutcomeCounts {
        var counts = OutcomeCounts()
        for removal in Removal.allCases {
            if let outcome = removal.outcome { counts[outcome] = UInt64(removedCount(removal)) }
        }
        return counts
    }
}

extension SpanWork {
    /// What the records of a trace are known by.
    fileprivate func mark(_ trace: TraceID, _ group: UnitGroup, _ services: inout GroupServices) -> TraceMark {
        let isRouted = routes[Int(group.number)] != .none
        return TraceMark(
            trace: trace,
            isBound: source.identity?.experiments != nil,
            service: isRouted ? "" : service(of: group, &services)
        )
    }

    /// The service of its first span; empty where that names none.
    private func service(of group: UnitGroup, _ services: inout GroupServices) -> String {
        guard let unit = batch.firstUnit(of: group) else { return "" }
        let scope = batch.unit(unit).scope
        let resource = batch.scopes[scope].resource
        if let latest = services.latest, latest.resource == resource { return latest.name }
        let name = service(ofScope: scope)
        services.latest = (resource, name)
        return name
    }
}

/// The service of the resource that was asked for last.
private struct GroupServices {
    var latest: (resource: Int, name: String)?
}

/// A record of a request, and whose it is.
struct IntakeRecord: Sendable {
    let record: NewRecord
    /// Whose share it takes.
    let key: ShareTable.Key
    /// Whose spans its request holds; nil in all but the first.
    var services: NotedServices?

    /// What the journal holds of it.
    var bytes: Int { record.payload.count + record.metadata.count }
    /// What it holds in memory until the disk has it.
    var heldBytes: Int { bytes + (services?.bytes ?? 0) }

    /// What it takes of its route's share; nil where it holds no items.
    var share: ShareTable.Part? {
        guard record.kind == .items else { return nil }
        return ShareTable.Part(key: key, bytes: bytes)
    }
}
