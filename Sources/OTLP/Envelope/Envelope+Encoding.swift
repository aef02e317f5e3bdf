package import Basics

/// Units in wire form.
package struct EncodedUnits: Sendable {
    /// One export request.
    package let payload: [UInt8]
    /// How many items are inside.
    package let items: Int
}

/// The units of a request that become one record.
package struct UnitGroup: Sendable {
    package let number: UInt16
    /// Ascending; nil where the group has all that are left.
    let units: ArraySlice<Int32>?
    /// Whether it is the first of its request.
    var isFirst = true
}

extension Envelope {
    /// Writes the units of a group in one pass.
    ///
    /// Scopes and resources that became empty vanish. Where nothing was marked and all units are in this group, the
    /// result is `bytes` itself.
    ///
    /// - Returns: One export request; nil when the group has no item left.
    package func encoded(group: UInt16 = 0) -> EncodedUnits? {
        guard !isWhole(group) else { return whole }
        var kept: [Int32] = []
        kept.reserveCapacity(unitCount)
        for index in 0..<unitCount where isKept(index) && self.group(of: index) == group {
            kept.append(Int32(truncatingIfNeeded: index))
        }
        return encoded(kept[...], withOthers: true)?.units
    }

    /// The groups that have an item left, in the order of their numbers.
    package var groups: [UnitGroup] {
        guard !marks.groups.isEmpty else { return keptCount > 0 ? [UnitGroup(number: 0, units: nil)] : [] }
        var starts = [Int](filledWith: 0, count: marks.groupCounts.count + 1)
        for index in 0..<unitCount where isKept(index) { starts[Int(marks.groups[index]) + 1] += 1 }
        for group in marks.groupCounts.indices { starts[group + 1] += starts[group] }
        var kept = [Int32](filledWith: 0, count: starts.last ?? 0)
        var next = starts
        for index in 0..<unitCount where isKept(index) {
            let group = Int(marks.groups[index])
            kept[next[group]] = Int32(truncatingIfNeeded: index)
            next[group] += 1
        }
        var groups: [UnitGroup] = []
        for index in marks.groupCounts.indices {
            let own = kept[starts[index]..<starts[index + 1]]
            guard items(of: own) > 0 else { continue }
            let number = UInt16(truncatingIfNeeded: index)
            groups.append(UnitGroup(number: number, units: isWhole(number) ? nil : own, isFirst: groups.isEmpty))
        }
        return groups
    }

    /// Writes a group of `groups`.
    ///
    /// What stands beside the resources goes with the first of them. Resources and scopes are repeated for each group that
    /// has a unit of theirs; throws where that takes more bytes or steps than the request may cost.
    package func encoded(
        _ group: UnitGroup,
        charging account: inout RequestAccount
    ) throws(CostExcess) -> EncodedUnits {
        guard let kept = group.units, let part = encoded(kept, withOthers: group.isFirst) else {
            let whole = encoded(group: group.number) ?? EncodedUnits(payload: [], items: 0)
            try account.charge(written: whole.payload.count)
            return whole
        }
        try account.charge(written: part.units.payload.count)
        account.add(steps: part.steps)
        try account.check()
        return part.units
    }

    private func isKept(_ unit: Int) -> Bool { marks.removals.isEmpty || marks.removals[unit] == 0 }

    /// Everything as it came; nil where there is no item in it.
    private var whole: EncodedUnits? { itemCount == 0 ? nil : EncodedUnits(payload: bytes, items: itemCount) }

    /// How many items these units count for.
    private func items(of units: ArraySlice<Int32>) -> Int {
        signal == .metrics ? units.reduce(0) { $0 + unit(Int($1)).items } : units.count
    }

    /// Whether nothing was marked and all units are in that group.
    private func isWhole(_ group: UInt16) -> Bool {
        guard marks.isEmpty else { return false }
        guard !marks.groups.isEmpty else { return group == 0 }
        return Int(group) < marks.groupCounts.count && marks.groupCounts[Int(group)] == unitCount
    }

    /// Writes these units, in ascending order, and says how many fields it looked at one by one.
    ///
    /// `withOthers` says whether fields beside the resources are written too, `points` which data points of the one metric. Nil
    /// where there is no item in them.
    func encoded(
        _ kept: ArraySlice<Int32>,
        withOthers: Bool,
        points: PointRun? = nil
    ) -> (units: EncodedUnits, steps: Int)? {
        let items = points?.count ?? items(of: kept)
        guard items > 0 else { return nil }
        var writer = EnvelopeWriter(self, kept, withOthers: withOthers, points: points)
        writer.request()
        let payload = marks.builder.bytes.withBytes { writer.assembly.bytes(bytes.span.bytes, $0) }
        return (EncodedUnits(payload: payload, items: items), writer.steps)
    }
}
