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
    func records(of works: [WindowWork], bytesMax: Int) async -> [FoundWork] {
        var stored: [WindowSource: Stored] = [:]
        var (count, bytes) = (0, 0)
        state.withLock { state in
            for work in works where bytes < bytesMax {
                for source in inputs.keys {
                    for id in work.records(of: source) {
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
            let read = await read(works[..<count], source, input, stored[source] ?? [:], bytesMax: left)
            (stored[source], count) = (read.stored, min(count, read.count))
            bytes += read.bytes
        }
        let found = works[..<count]
        forget(found, keeping: count < works.count ? stored : [:])
        var reader = MetadataReader()
        return found.map { work in
            FoundWork(
                work: work,
                spans: records(work, .spans, stored[.spans] ?? [:], &reader),
                logs: records(work, .logs, stored[.logs] ?? [:], &reader)
            )
        }
    }

    /// What is not in memory of as many decisions as have room, the first in any case.
    private func read(
        _ works: ArraySlice<WindowWork>,
        _ source: WindowSource,
        _ input: WindowInput,
        _ known: Stored,
        bytesMax: Int
    ) async -> (stored: Stored, bytes: Int, count: Int) {
        var missing = works.map { work in
            work.records(of: source).filter {
                known[$0] == nil && (work.wentAhead($0) || !input.reader.isFinished($0))
            }
        }
        var (stored, bytes) = (known, 0)
        var left = missing.flatMap { $0 }.sorted()[...]
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
        _ reader: inout MetadataReader
    ) -> [WindowRecord] {
        guard let input = inputs[source] else { return [] }
        return work.records(of: source).compactMap { id in
            guard let record = stored[id] else { return nil }
            guard input.reader.isFinished(id) else { return WindowRecord(record, &reader) }
            // What the journal gave up meanwhile is counted where it was.
            return source == .spans && work.wentAhead(id) ? WindowRecord(record, &reader, wentAhead: true) : nil
        }
    }
}
