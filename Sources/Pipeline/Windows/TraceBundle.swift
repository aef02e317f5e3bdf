import Basics
import Journal
package import OTLP

/// A request of whole traces that lies in one record before a window.
///
/// Its spans take the record's ids in their order: each trace has those of its own spans, by the first of which a window knows it, and is
/// settled by them. So traces that wait longer than the others are moved by themselves, and what is left is known from the cursor.
package struct TraceBundle: Sendable {
    /// What a bundle holds, at most: a trace that is decided by itself is looked for in all of it.
    static let spansMax = 1000
    static let bytesMax = 1 << 20
    /// More than all its traces could repeat.
    private static let repeatsMax = spansMax * bytesMax
    private static let noLimits = CostLimits(heldPerByte: .max, writtenPerByte: .max, stepsPerByte: .max)

    let stored: StoredRecord
    /// Of the record, whatever the trace.
    package let part: WholeTrace.Part
    package let batch: SpanBatch
    package let trees: TraceTrees
    /// Of the record.
    let metadata: RecordMetadata

    /// Nil where the record is none, or cannot be read.
    ///
    /// - Parameters:
    ///   - stored: A record before a window.
    ///   - metadata: What its metadata says.
    ///   - handover: Where the request may be, as it was read when it came.
    init?(_ stored: StoredRecord, _ metadata: RecordMetadata, _ handover: BundleHandover? = nil) {
        guard stored.kind == .items, metadata.areWholeTraces, let mark = metadata.trace, !mark.isOfOneTrace else {
            return nil
        }
        if let handed = handover?.take(stored.payload) {
            (batch, trees) = handed
        } else {
            guard let batch = try? SpanBatch(stored.payload), let trees = TraceTrees(batch) else { return nil }
            (self.batch, self.trees) = (batch, trees)
        }
        guard batch.spans.count == Int(stored.items), !trees.list.isEmpty else { return nil }
        // The same bytes once.
        self.stored = StoredRecord(
            id: stored.id,
            items: stored.items,
            kind: stored.kind,
            receivedAt: stored.receivedAt,
            metadata: stored.metadata,
            payload: batch.bytes
        )
        self.metadata = metadata
        var shared = metadata.ofAnyTrace
        shared.areWholeTraces = false
        part = WholeTrace.Part(receivedAt: stored.receivedAt, metadata: shared, payload: batch.bytes)
    }

    /// The ids of all traces.
    var ids: Range<UInt64> { stored.id..<stored.id + UInt64(stored.items) }

    /// The ids of one of them.
    func ids(of tree: TraceTrees.Tree) -> Range<UInt64> {
        stored.id + UInt64(tree.spans.lowerBound)..<stored.id + UInt64(tree.spans.upperBound)
    }

    package func key(of tree: TraceTrees.Tree) -> TraceKey {
        let isBound = metadata.trace?.isBound ?? false
        return TraceKey(batch.spans[tree.spans.lowerBound].traceID, identity: isBound ? metadata.identity : nil)
    }

    /// What a window needs to know of the spans of a trace.
    func sightings(of tree: TraceTrees.Tree) -> [SpanSighting] {
        tree.spans.map { span in
            let entry = batch.spans[span]
            return SpanSighting(entry.spanID, parent: entry.parentID, isParentRemote: entry.isParentRemote)
        }
    }

    /// Bytes of the spans of a trace.
    func bytes(of tree: TraceTrees.Tree) -> Int { tree.spans.reduce(0) { $0 + batch.spans[$1].size } }

    /// What it takes in memory.
    var memoryBytes: Int { stored.metadata.count + batch.bytes.count + batch.indexBytes }

    /// Traces as records of their own, by their first ids.
    ///
    /// - Parameter wanted: The first ids of those that are wanted.
    func records(of wanted: Set<UInt64>) -> [UInt64: WindowRecord] {
        var batch = batch
        let divided = batch.divideByTrace(groups: 1, repeatsMax: (perGroup: Self.repeatsMax, all: Self.repeatsMax))
        let groups = Dictionary(uniqueKeysWithValues: batch.groups.map { ($0.number, $0) })
        var records: [UInt64: WindowRecord] = [:]
        for tree in trees.list where wanted.contains(ids(of: tree).lowerBound) {
            // What the record costs was accounted for when it came.
            var account = RequestAccount(bytes: batch.bytes.count, limits: Self.noLimits)
            let number = batch.group(of: tree.spans.lowerBound)
            guard divided.traces.indices.contains(Int(number)), let group = groups[number],
                let units = try? batch.encoded(group, charging: &account)
            else { continue }
            records[ids(of: tree).lowerBound] = record(tree, units.payload)
        }
        return records
    }

    /// The record that a trace would have by itself; what it holds of the journal is its share of the bundle's.
    private func record(_ tree: TraceTrees.Tree, _ payload: [UInt8]) -> WindowRecord {
        var metadata = metadata
        let mark = metadata.trace
        metadata.areWholeTraces = false
        metadata.trace = TraceMark(
            trace: batch.spans[tree.spans.lowerBound].traceID,
            isBound: mark?.isBound ?? false,
            service: mark?.service ?? ""
        )
        let single = StoredRecord(
            id: ids(of: tree).lowerBound,
            items: UInt32(tree.spans.count),
            kind: .items,
            receivedAt: stored.receivedAt,
            metadata: stored.metadata,
            payload: payload
        )
        return WindowRecord(single, metadata, sharedBytes: stored.sharedBytes(of: ids(of: tree)))
    }
}

extension SpanWork {
    /// Whether all that is left of a request may lie in one record before a window: it is as it came, and each of its traces is complete.
    func traces(toBundleFor window: any WindowedProcessor) -> TraceTrees? {
        guard window.handover != nil, batch.signal == .traces, !batch.isMarked, routes.count == 1,
            tombstones?.isEmpty ?? true, batch.keptCount == batch.unitCount, batch.unitCount <= TraceBundle.spansMax,
            batch.bytes.count <= TraceBundle.bytesMax, let trees = TraceTrees(batch), trees.list.count > 1,
            trees.list.allSatisfy(\.isComplete), isOfOneService
        else { return nil }
        return trees
    }

    /// Whose share of the journal a record takes is told by its service.
    private var isOfOneService: Bool {
        var (resource, name): (Int?, ExactText?) = (nil, nil)
        for index in batch.scopes.indices where batch.scopes[index].resource != resource {
            resource = batch.scopes[index].resource
            let own = ExactText(service(ofScope: index))
            guard name ?? own == own else { return false }
            name = own
        }
        return true
    }
}
