/// The ids a reader is done with: everything below `low`, and ranges above it.
struct FinishedRanges: Sendable, Equatable {
    private(set) var low: UInt64
    /// Ascending, with unfinished ids before and between them.
    private(set) var ranges: [Range<UInt64>] = []

    init(low: UInt64) {
        self.low = low
    }

    /// Restores what a cursor says; nil when it breaks the order.
    init?(low: UInt64, ranges: [Range<UInt64>]) {
        var before = low
        for range in ranges {
            guard range.lowerBound > before, !range.isEmpty else { return nil }
            before = range.upperBound
        }
        self.low = low
        self.ranges = ranges
    }

    /// How many ids above `low` are finished.
    var countAboveLow: UInt64 { ranges.reduce(0) { $0 &+ ($1.upperBound - $1.lowerBound) } }
    /// How many ids below `id` are not finished.
    func unfinishedCount(below id: UInt64) -> UInt64 {
        guard id > low else { return 0 }
        return ranges.reduce(id - low) { rest, range in
            rest - (min(range.upperBound, id) - min(range.lowerBound, id))
        }
    }

    /// The id after the highest finished one.
    var high: UInt64 { ranges.last?.upperBound ?? low }

    func contains(_ id: UInt64) -> Bool {
        end(ofRangeWith: id) != nil
    }

    func contains(_ ids: Range<UInt64>) -> Bool {
        guard !ids.isEmpty, let end = end(ofRangeWith: ids.lowerBound) else { return ids.isEmpty }
        return end >= ids.upperBound
    }

    /// The first unfinished id behind `id`; nil when `id` is unfinished itself.
    func end(ofRangeWith id: UInt64) -> UInt64? {
        guard id >= low else { return low }
        let index = ranges.firstIndex(endingAfter: id)
        return index < ranges.count && ranges[index].lowerBound <= id ? ranges[index].upperBound : nil
    }

    /// The first finished id behind `id`, which is unfinished.
    func start(ofRangeAfter id: UInt64) -> UInt64? {
        let index = ranges.firstIndex(endingAfter: id)
        return index < ranges.count ? ranges[index].lowerBound : nil
    }

    /// Adds ids.
    ///
    /// - Returns: How many of them are new.
    mutating func insert(_ added: Range<UInt64>) -> UInt64 {
        guard added.upperBound > low, !added.isEmpty else { return 0 }
        var merged = max(added.lowerBound, low)..<added.upperBound
        var fresh = merged.upperBound - merged.lowerBound
        // Every range that overlaps or touches the new one becomes part of it.
        let first = ranges.firstIndex(endingAfter: merged.lowerBound == 0 ? 0 : merged.lowerBound - 1)
        var last = first
        while last < ranges.count, ranges[last].lowerBound <= merged.upperBound {
            let overlap = ranges[last].clamped(to: max(added.lowerBound, low)..<added.upperBound)
            fresh -= overlap.upperBound - overlap.lowerBound
            merged = min(merged.lowerBound, ranges[last].lowerBound)..<max(merged.upperBound, ranges[last].upperBound)
            last += 1
        }
        if merged.lowerBound == low {
            low = merged.upperBound
            ranges.removeSubrange(first..<last)
        } else {
            ranges.replaceSubrange(first..<last, with: CollectionOfOne(merged))
        }
        return fresh
    }
}

extension [Range<UInt64>] {
    /// In ascending ranges the position of the first that ends after `id`; their number when there is none.
    func firstIndex(endingAfter id: UInt64) -> Int {
        var below = 0
        var above = count
        while below < above {
            let middle = (below + above) / 2
            if self[middle].upperBound > id { above = middle } else { below = middle + 1 }
        }
        return below
    }
}
