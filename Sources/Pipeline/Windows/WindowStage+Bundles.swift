import Basics
import Journal
import OTLP

/// A bundle of which all traces are carried out together, each as the others.
struct FoundBundle: Sendable {
    let bundle: TraceBundle
    /// One for each of its traces.
    let works: [WindowWork]

    /// Its traces one by one.
    var apart: [FoundWork] {
        let records = bundle.records(of: Set(works.flatMap { $0.records(of: .spans) }))
        return works.map { work in
            FoundWork(work: work, spans: work.records(of: .spans).compactMap { records[$0] }, logs: [])
        }
    }
}

extension WindowStage {
    /// What the window is told of a bundle: the traces that were not moved before.
    func sight(_ bundle: TraceBundle) -> WindowSight {
        var trees = bundle.trees.list
        if let reader = inputs[.spans]?.reader, reader.unfinished(in: bundle.ids) != [bundle.ids] {
            trees = trees.filter { !reader.isFinished(bundle.ids(of: $0).lowerBound) }
        }
        let processor = processor
        guard processor.samples else {
            return .bundle(bundle, trees.map { BundledTrace(tree: $0, foresight: TraceForesight()) })
        }
        // It was stored for a window that did not.
        let records = bundle.records(of: Set(trees.map { bundle.ids(of: $0).lowerBound }))
        let traces = trees.map { tree in
            let record = records[bundle.ids(of: tree).lowerBound]
            return BundledTrace(tree: tree, foresight: record.map { processor.foresee($0.part.payload) } ?? TraceForesight())
        }
        return .bundle(bundle, traces)
    }
}

extension WindowStage.State {
    /// Takes a bundle in.
    mutating func take(_ bundle: TraceBundle, _ traces: [BundledTrace], at now: Duration) {
        let isWhole = traces.count == bundle.trees.list.count
        bundles.insert(bundle.ids, traces: traces.count, isWhole: isWhole, bundle)
        for trace in traces {
            let key = bundle.key(of: trace.tree)
            takeBack(key, at: now)
            window.see(
                key,
                record: bundle.ids(of: trace.tree).lowerBound,
                spans: bundle.sightings(of: trace.tree),
                bytes: bundle.bytes(of: trace.tree),
                at: now,
                foresight: trace.foresight
            )
        }
    }
}

extension WindowWork {
    /// Whether it is carried out as its neighbours are that are of the same bundle.
    var isPlain: Bool {
        guard case .decision(let decision) = self else { return false }
        return decision.reason == .complete && decision.records.count == 1 && decision.logRecords.isEmpty
            && decision.shownEnd == 0
    }
}

/// The bundles that decisions are about.
struct OpenedBundles: Sendable {
    /// By their ids.
    private var entries: [TraceBundles.Entry] = []
    private var latest: Range<UInt64>?

    var ids: [Range<UInt64>] { entries.map(\.ids) }

    mutating func open(_ entry: TraceBundles.Entry) {
        entries.insert(entry, at: place(of: entry.ids.lowerBound))
        latest = entry.ids
    }

    /// Whether a decision is about a trace of the bundle that was opened last, of which all is decided together.
    func lastHolds(_ work: WindowWork) -> Bool {
        guard let latest, let id = work.records(of: .spans).first else { return false }
        return latest.contains(id)
    }

    func holds(_ id: UInt64) -> Bool { entry(of: id) != nil }

    /// The id of the record that an id is looked for in.
    func holder(of id: UInt64) -> UInt64 { entry(of: id)?.ids.lowerBound ?? id }

    private func entry(of id: UInt64) -> TraceBundles.Entry? {
        let place = place(of: id)
        return place < entries.count && entries[place].ids.contains(id) ? entries[place] : nil
    }

    /// The first entry that ends behind an id; their number where there is none.
    private func place(of id: UInt64) -> Int { entries.place { $0.ids.upperBound > id } }

    /// Takes out the decisions about bundles that are carried out as they are.
    func takeWhole(
        _ works: inout ArraySlice<WindowWork>,
        _ stored: [UInt64: StoredRecord],
        _ reader: inout MetadataReader,
        isFinished: (Range<UInt64>) -> Bool
    ) -> [FoundBundle] {
        guard entries.contains(where: \.isWhole) else { return [] }
        var plain: [UInt64: [WindowWork]] = [:]
        for work in works where work.isPlain {
            guard let id = work.records(of: .spans).first, let entry = entry(of: id), entry.isWhole else { continue }
            plain[entry.ids.lowerBound, default: []].append(work)
        }
        var found: [FoundBundle] = []
        for entry in entries where plain[entry.ids.lowerBound]?.count == entry.traces {
            // What the journal gave up meanwhile is counted where it was.
            guard let own = plain[entry.ids.lowerBound], !isFinished(entry.ids),
                let bundle = bundle(of: entry, stored, &reader)
            else { continue }
            found.append(FoundBundle(bundle: bundle, works: own))
        }
        let taken = found.map(\.bundle.ids)
        guard !taken.isEmpty else { return [] }
        guard found.reduce(0, { $0 + $1.works.count }) < works.count else {
            works = []
            return found
        }
        works = works.filter { work in
            guard work.isPlain, let id = work.records(of: .spans).first else { return true }
            let place = taken.place { $0.upperBound > id }
            return place == taken.count || !taken[place].contains(id)
        }[...]
        return found
    }

    /// What of bundles decisions are about that are carried out one by one.
    func records(
        of works: some Sequence<WindowWork>,
        _ stored: [UInt64: StoredRecord],
        _ reader: inout MetadataReader
    ) -> [UInt64: WindowRecord] {
        guard !entries.isEmpty else { return [:] }
        var wanted: [UInt64: Set<UInt64>] = [:]
        for id in works.lazy.flatMap({ $0.records(of: .spans) }) {
            if let entry = entry(of: id) { wanted[entry.ids.lowerBound, default: []].insert(id) }
        }
        var records: [UInt64: WindowRecord] = [:]
        for entry in entries {
            guard let own = wanted[entry.ids.lowerBound], let bundle = bundle(of: entry, stored, &reader) else { continue }
            records.merge(bundle.records(of: own)) { $1 }
        }
        return records
    }

    private func bundle(
        of entry: TraceBundles.Entry,
        _ stored: [UInt64: StoredRecord],
        _ reader: inout MetadataReader
    ) -> TraceBundle? {
        if let bundle = entry.bundle { return bundle }
        guard let record = stored[entry.ids.lowerBound], let metadata = reader.read(record.metadata) else { return nil }
        return TraceBundle(record, metadata)
    }
}
