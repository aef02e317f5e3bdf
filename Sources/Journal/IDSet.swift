/// A set of ids, held as ranges: what a reader has finished, which records are dead letters, what is lost.
struct IDSet: Sendable, Equatable {
    /// Ascending, with ids between them that are not in the set.
    private(set) var ranges: [Range<UInt64>] = []

    init() {}

    /// All ids below `low`.
    init(below low: UInt64) {
        if low > 0 { ranges = [0..<low] }
    }

    /// All ids below `low`, and ranges above it; nil where these are out of order, empty, or touch each other.
    init?(below low: UInt64, and above: [Range<UInt64>]) {
        self.init(below: low)
        var before = low
        for range in above {
            guard range.lowerBound > before, !range.isEmpty else { return nil }
            before = range.upperBound
        }
        ranges += above
    }

    /// The first id that is not in the set.
    var low: UInt64 { ranges.first.map { $0.lowerBound == 0 ? $0.upperBound : 0 } ?? 0 }
    /// What of the set lies above `low`.
    var rangesAboveLow: ArraySlice<Range<UInt64>> { ranges.first?.lowerBound == 0 ? ranges.dropFirst() : ranges[...] }
    /// The id after the highest one.
    var end: UInt64 { ranges.last?.upperBound ?? 0 }
    /// How many ids there are.
    var count: UInt64 { ranges.reduce(0) { $0 + $1.length } }

    /// How many ids of the set lie below `id`.
    func count(below id: UInt64) -> UInt64 {
        ranges.reduce(0) { $0 + (min($1.upperBound, id) - min($1.lowerBound, id)) }
    }

    func contains(_ id: UInt64) -> Bool { end(ofRangeWith: id) != nil }

    func contains(_ ids: Range<UInt64>) -> Bool {
        guard !ids.isEmpty, let end = end(ofRangeWith: ids.lowerBound) else { return ids.isEmpty }
        return end >= ids.upperBound
    }

    /// The first id behind `id` that is not in the set; nil where `id` is not in it.
    func end(ofRangeWith id: UInt64) -> UInt64? {
        let index = firstIndex(endingAfter: id)
        return index < ranges.count && ranges[index].lowerBound <= id ? ranges[index].upperBound : nil
    }

    /// The first id of the set behind `id`, which is not in it.
    func start(ofRangeAfter id: UInt64) -> UInt64? {
        let index = firstIndex(endingAfter: id)
        return index < ranges.count ? ranges[index].lowerBound : nil
    }

    /// Adds ids.
    ///
    /// - Returns: How many of them are new.
    @discardableResult
    mutating func insert(_ added: Range<UInt64>) -> UInt64 {
        guard !added.isEmpty else { return 0 }
        var merged = added
        var fresh = added.length
        // Every range that overlaps or touches the new one becomes part of it.
        let first = firstIndex(endingAfter: added.lowerBound == 0 ? 0 : added.lowerBound - 1)
        var last = first
        while last < ranges.count, ranges[last].lowerBound <= merged.upperBound {
            fresh -= ranges[last].clamped(to: added).length
            merged = min(merged.lowerBound, ranges[last].lowerBound)..<max(merged.upperBound, ranges[last].upperBound)
            last += 1
        }
        ranges.replaceSubrange(first..<last, with: CollectionOfOne(merged))
        return fresh
    }

    /// Takes out all ids below `id`.
    mutating func remove(below id: UInt64) {
        ranges.removeSubrange(..<firstIndex(endingAfter: id))
        if let first = ranges.first, first.lowerBound < id { ranges[0] = id..<first.upperBound }
    }

    /// How many ids are not in `other`.
    func count(notIn other: IDSet) -> UInt64 {
        var count: UInt64 = 0
        for range in ranges {
            var id = range.lowerBound
            while id < range.upperBound {
                if let end = other.end(ofRangeWith: id) {
                    id = end
                } else {
                    let next = min(other.start(ofRangeAfter: id) ?? .max, range.upperBound)
                    count += next - id
                    id = next
                }
            }
        }
        return count
    }

    /// The first id from `id` on, below `end`, that is neither in this set nor in `other`.
    func firstMissing(from id: UInt64, below end: UInt64, orIn other: IDSet) -> UInt64? {
        var id = id
        while id < end {
            guard let next = self.end(ofRangeWith: id) ?? other.end(ofRangeWith: id) else { return id }
            id = next
        }
        return nil
    }

    /// The position of the first range that ends after `id`; their number where there is none.
    private func firstIndex(endingAfter id: UInt64) -> Int {
        var below = 0
        var above = ranges.count
        while below < above {
            let middle = (below + above) / 2
            if ranges[middle].upperBound > id { above = middle } else { below = middle + 1 }
        }
        return below
    }
}

extension Range<UInt64> {
    /// How many ids there are in it.
    var length: UInt64 { upperBound - lowerBound }
}
