/// The bundles that a window has seen and not moved, and as many of their bytes as there is room for.
struct TraceBundles: Sendable {
    struct Entry: Sendable {
        let ids: Range<UInt64>
        /// Traces that were there when it was seen.
        let traces: Int
        /// Whether all of it was there.
        let isWhole: Bool
        /// Traces that are not carried out.
        fileprivate var left: Int
        /// Nil where it has to be read again.
        fileprivate(set) var bundle: TraceBundle?
    }

    /// By their ids; those of which nothing is left among them.
    private var entries: [Entry] = []
    private var finished = 0
    /// None before it is in memory.
    private var eldest = 0
    /// Bytes of those that are in memory.
    private(set) var bytes = 0
    private let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    var isEmpty: Bool { entries.isEmpty }

    /// What all of it takes in memory.
    var memoryBytes: Int { bytes + entries.count * MemoryLayout<Entry>.stride }

    /// Takes note of a bundle.
    ///
    /// - Parameters:
    ///   - ids: Of all its spans.
    ///   - traces: How many of its traces were not moved before.
    ///   - isWhole: Whether none was.
    ///   - bundle: What is in it.
    mutating func insert(_ ids: Range<UInt64>, traces: Int, isWhole: Bool, _ bundle: TraceBundle?) {
        let place = place(of: ids.lowerBound)
        if place < entries.count, entries[place].ids == ids {
            // Some of its traces went ahead in an earlier process.
            let before = entries[place]
            keep(bundle, at: place)
            entries[place].left += traces
            if before.left == 0 { finished -= 1 }
            return
        }
        entries.insert(Entry(ids: ids, traces: traces, isWhole: isWhole, left: traces, bundle: nil), at: place)
        keep(bundle, at: place)
    }

    private mutating func keep(_ bundle: TraceBundle?, at place: Int) {
        guard let bundle, bundle.memoryBytes <= bytesMax, entries[place].bundle == nil else { return }
        entries[place].bundle = bundle
        bytes += bundle.memoryBytes
        eldest = min(eldest, place)
        while bytes > bytesMax, eldest < entries.count {
            drop(eldest)
            eldest += 1
        }
    }

    /// The bundle with a span of that id; nil for a record of its own.
    func entry(of id: UInt64) -> Entry? {
        let place = place(of: id)
        return place < entries.count && entries[place].ids.contains(id) ? entries[place] : nil
    }

    /// What is to be carried out with `last` because it is of the same bundle.
    func rest(of last: WindowWork?, in works: ArraySlice<WindowWork>) -> ArraySlice<WindowWork> {
        guard let id = last?.records(of: .spans).first, let ids = entry(of: id)?.ids else { return [] }
        return works.prefix { $0.records(of: .spans).first.map(ids.contains) ?? false }
    }

    /// A trace of it was carried out, of which nothing is needed again.
    mutating func release(_ id: UInt64) {
        let place = place(of: id)
        guard place < entries.count, entries[place].ids.contains(id), entries[place].left > 0 else { return }
        entries[place].left -= 1
        guard entries[place].left == 0 else { return }
        drop(place)
        finished += 1
        guard finished > 16, finished > entries.count / 2 else { return }
        entries.removeAll { $0.left == 0 }
        (finished, eldest) = (0, 0)
    }

    private mutating func drop(_ place: Int) {
        guard let bundle = entries[place].bundle else { return }
        bytes -= bundle.memoryBytes
        entries[place].bundle = nil
    }

    /// The first entry that ends behind an id; their number where there is none.
    private func place(of id: UInt64) -> Int {
        if let last = entries.last, last.ids.upperBound <= id { return entries.count }
        return entries.place { $0.ids.upperBound > id }
    }
}

extension Array {
    /// The first place from which on something is so, where it is so for all behind the first; their number where it is for none.
    func place(where isBehind: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
