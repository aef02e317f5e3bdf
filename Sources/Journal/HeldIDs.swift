/// The ids of held records: dead letters, which are not handed out but wait until somebody settles them.
///
/// Says nothing of what is finished: that is the cursor's, so that the two can never disagree.
struct HeldIDs: Sendable, Equatable {
    /// Ascending and apart.
    private(set) var ranges: [Range<UInt64>] = []

    /// Adds ids behind all others.
    mutating func append(_ ids: Range<UInt64>) {
        guard !ids.isEmpty else { return }
        if let last = ranges.last, last.upperBound >= ids.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, ids.upperBound)
        } else {
            ranges.append(ids)
        }
    }

    /// Leaves out what nobody asks for any more.
    mutating func forget(below id: UInt64) {
        ranges.removeSubrange(..<ranges.firstIndex(endingAfter: id))
        if let first = ranges.first, first.lowerBound < id { ranges[0] = id..<first.upperBound }
    }

    /// How many of them are not finished.
    func count(notIn finished: FinishedRanges) -> UInt64 {
        var count: UInt64 = 0
        for range in ranges {
            var id = range.lowerBound
            while id < range.upperBound {
                if let end = finished.end(ofRangeWith: id) {
                    id = end
                } else {
                    let next = min(finished.start(ofRangeAfter: id) ?? .max, range.upperBound)
                    count += next - id
                    id = next
                }
            }
        }
        return count
    }

    /// The first id from `id` on, below `end`, that is neither held nor finished.
    func firstOther(from id: UInt64, below end: UInt64, notIn finished: FinishedRanges) -> UInt64? {
        var id = id
        while id < end {
            let index = ranges.firstIndex(endingAfter: id)
            if let next = finished.end(ofRangeWith: id) {
                id = next
            } else if index < ranges.count, ranges[index].contains(id) {
                id = ranges[index].upperBound
            } else {
                return id
            }
        }
        return nil
    }
}
