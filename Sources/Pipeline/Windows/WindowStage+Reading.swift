import Journal
import Logging
import OTLP
import Synchronization

/// Something to carry out, with the records that are still to be settled, and those that went ahead, in the order in which they came.
struct FoundWork: Sendable {
    let work: WindowWork
    let spans: [WindowRecord]
    let logs: [WindowRecord]
}

/// What of many decisions can be carried out together.
struct FoundWorks: Sendable {
    let works: [FoundWork]
    let bundles: [FoundBundle]
    /// Decisions in all of these.
    let count: Int
}

/// The records of decisions: from memory, and the others of many decisions in one go.
extension WindowStage {
    private typealias Stored = [UInt64: StoredRecord]

    /// The traces in a record of several, where each gets a verdict.
    func tracesToDecide(_ record: StoredRecord, _ metadata: RecordMetadata) -> [TraceKey] {
        guard record.kind == .items, processor.samples else { return [] }
        let identity = metadata.trace?.isBound == true ? metadata.identity : nil
        return TraceID.all(in: record.payload, signal: .traces).map { TraceKey($0, identity: identity) }
    }

    /// What of decisions, from the first on, can be carried out with about so many bytes; the first in any case.
    func records(of works: [WindowWork], bytesMax: Int) async -> FoundWorks {
        var stored: [WindowSource: Stored] = [:]
        var (count, bytes) = (0, 0)
        var bundles = OpenedBundles()
        state.withLock { state in
            for work in works {
                guard bytes < bytesMax || bundles.lastHolds(work) else { break }
                for source in inputs.keys {
                    for id in work.records(of: source) {
                        if source == .spans, bundles.holds(id) { continue }
                        if source == .spans, let entry = state.bundles.entry(of: id) {
                            bundles.open(entry)
                            guard let bundle = entry.bundle else { continue }
                            stored[source, default: [:]][entry.ids.lowerBound] = bundle.stored
                            bytes += bundle.stored.metadata.count + bundle.stored.payload.count
                            continue
                        }
                        guard let record = state.cache.look(id, source) else { continue }
                        stored[source, default: [:]][id] = record
                        bytes += record.metadata.count + record.payload.count
                    }
                }
                count += 1
            }
        }
        for (source, input) in inputs {
            let left = max(0, bytesMax - bytes)
            let read = await read(works[..<count], source, input, stored[source] ?? [:], bundles, bytesMax: left)
            (stored[source], count) = (read.stored, min(count, read.count))
            bytes += read.bytes
        }
        var found = works[..<count]
        var unused = count < works.count ? stored : [:]
        for ids in bundles.ids { unused[.spans]?[ids.lowerBound] = nil }
        forget(found, keeping: unused)
        var reader = MetadataReader()
        let whole = bundles.takeWhole(&found, stored[.spans] ?? [:], &reader) { ids in
            inputs[.spans]?.reader.unfinished(in: ids) != [ids]
        }
        let apart = bundles.records(of: found, stored[.spans] ?? [:], &reader)
        let singles = found.map { work in
            FoundWork(
                work: work,
                spans: records(work, .spans, stored[.spans] ?? [:], apart, bundles, &reader),
                logs: records(work, .logs, stored[.logs] ?? [:], [:], bundles, &reader)
            )
        }
        return FoundWorks(works: singles, bundles: whole, count: count)
    }

    /// What is not in memory of as many decisions as have room, the first in any case.
    private func read(
        _ works: ArraySlice<WindowWork>,
        _ source: WindowSource,
        _ input: WindowInput,
        _ known: Stored,
        _ bundles: OpenedBundles,
        bytesMax: Int
    ) async -> (stored: Stored, bytes: Int, count: Int) {
        var missing = works.map { work in
            work.records(of: source).compactMap { id -> UInt64? in
                let holder = source == .spans ? bundles.holder(of: id) : id
                guard known[holder] == nil, work.wentAhead(id) || !input.reader.isFinished(id) else { return nil }
                return holder
            }
        }
        var (stored, bytes) = (known, 0)
        var left = Set(missing.joined()).sorted()[...]
        while !left.isEmpty, bytes < bytesMax {
            bytes += await read(&left, input, &stored, bytesMax: bytesMax - bytes)
        }
        guard let unread = left.first else { return (stored, bytes, works.count) }
        // Its records may lie far apart, with many of others between them.
        var own = missing.removeFirst().filter { $0 >= unread }[...]
        while !own.isEmpty { bytes += await read(&own, input, &stored, bytesMax: Self.readBytesMax) }
        return (stored, bytes, 1 + missing.prefix { $0.allSatisfy { $0 < unread } }.count)
    }

    /// Bytes of a large trace that are read in one go.
    private static let readBytesMax = 4 << 20

    /// Reads some records, from the first on, and tells of those that are gone; says how many bytes these have.
    private func read(
        _ ids: inout ArraySlice<UInt64>,
        _ input: WindowInput,
        _ stored: inout Stored,
        bytesMax: Int
    ) async -> Int {
        let read = await input.log.records(ids, bytesMax: bytesMax)
        let end = read.last?.id ?? .max
        for record in read { stored[record.id] = record }
        for id in ids.prefix(while: { $0 <= end }) where stored[id] == nil && !input.reader.isFinished(id) {
            warn(.gone, because: "damage", ["record": "\(id)"])
        }
        ids = ids.drop { $0 <= end }
        return read.reduce(0) { $0 + $1.metadata.count + $1.payload.count }
    }

    /// Forgets what will not be needed again, and keeps the others of what was read.
    private func forget(_ found: ArraySlice<WindowWork>, keeping stored: [WindowSource: Stored]) {
        state.withLock { state in
            var unused = stored
            for work in found {
                for source in inputs.keys {
                    for id in work.records(of: source) {
                        if !work.staysOpen { state.cache.forget(id, source) }
                        if !stored.isEmpty { unused[source]?[id] = nil }
                    }
                }
            }
            for (source, records) in unused { for record in records.values { state.cache.keep(record, source) } }
        }
    }

    private func records(
        _ work: WindowWork,
        _ source: WindowSource,
        _ stored: Stored,
        _ apart: [UInt64: WindowRecord],
        _ bundles: OpenedBundles,
        _ reader: inout MetadataReader
    ) -> [WindowRecord] {
        guard let input = inputs[source] else { return [] }
        return work.records(of: source).compactMap { id in
            if source == .spans, bundles.holds(id) {
                guard input.reader.isFinished(id) else { return apart[id] }
                return work.wentAhead(id) ? apart[id]?.ahead : nil
            }
            guard let record = stored[id] else { return nil }
            guard input.reader.isFinished(id) else { return WindowRecord(record, &reader) }
            // What the journal gave up meanwhile is counted where it was.
            return source == .spans && work.wentAhead(id) ? WindowRecord(record, &reader, wentAhead: true) : nil
        }
    }
}
