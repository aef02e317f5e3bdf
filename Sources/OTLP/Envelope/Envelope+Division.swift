import Basics

extension Envelope {
    /// Divides groups that have more than `itemsMax` items, so that whole traces stay together; what was removed is not counted.
    ///
    /// A trace or metric of more items than that is alone. Each part repeats its resources and scopes: there are only so many
    /// parts that this at most doubles the bytes, and a request that has other fields between its units is left as it is,
    /// because every part would have to look at all of them. The last part takes the rest.
    ///
    /// - Returns: For each new group, numbered on from `groups`, the group that it was taken from.
    package mutating func divide(itemsMax: Int, groups: Int) -> [UInt16] {
        guard itemCount > itemsMax else { return [] }
        let isOver = isOver(itemsMax, groups)
        guard isOver.contains(true), isDenseThroughout else { return [] }
        var parts = isOver.indices.map { Part(group: UInt16($0)) }
        var origins: [UInt16] = []
        var counts = [Int](repeating: 0, count: groups)
        let originsMax = min(divisionsMax, Int(UInt16.max) + 1 - groups)
        let bundles = bundles()
        for bundle in 0..<bundles.starts.count - 1 {
            let kept = bundles.units[bundles.starts[bundle]..<bundles.starts[bundle + 1]]
            for index in kept { counts[Int(group(of: Int(index)))] += unit(Int(index)).items }
            for index in kept {
                let group = Int(group(of: Int(index)))
                // Only the first unit of a bundle in a group still finds its count.
                let count = counts[group]
                counts[group] = 0
                guard isOver[group] else { continue }
                if count > 0, parts[group].items > 0, parts[group].items + count > itemsMax, origins.count < originsMax
                {
                    parts[group] = Part(group: UInt16(groups + origins.count))
                    origins.append(UInt16(group))
                }
                parts[group].items += count
                if parts[group].group != UInt16(group) { assign(Int(index), to: parts[group].group) }
            }
        }
        return origins
    }

    /// The part of a group that is being filled.
    private struct Part {
        let group: UInt16
        var items = 0
    }

    /// For each of the first `groups`, whether it has more than `itemsMax` items, removed ones included.
    private func isOver(_ itemsMax: Int, _ groups: Int) -> [Bool] {
        guard signal == .metrics else { return (0..<groups).map { unitCount(of: UInt16($0)) > itemsMax } }
        var counts = [Int](repeating: 0, count: groups)
        for index in 0..<unitCount { counts[Int(group(of: index))] += unit(index).items }
        return counts.map { $0 > itemsMax }
    }

    /// How often what stands around the units may be repeated.
    private var divisionsMax: Int {
        let inside = (0..<unitCount).reduce(0) { $0 + unit($1).size }
        return inside / max(1, bytes.count - inside)
    }

    private var isDenseThroughout: Bool {
        isDense && scopes.allSatisfy(\.isDense) && resources.allSatisfy(\.isDense)
    }
}
