import Basics

extension Envelope {
    /// Divides groups so that each holds units of one trace, as far as resources and scopes may be repeated.
    ///
    /// Units that are not to be divided, and those without a trace, stay together. Where nothing more may be repeated, the rest of a group is one group of several traces.
    ///
    /// - Parameters:
    ///   - groups: How many there are.
    ///   - repeatsMax: Bytes of resources and scopes that may be written again, for each new group and for all together.
    ///   - place: The trace that a unit is to be found by; nil for none. Without it, that which it is of.
    /// - Returns: The trace of each group, by number, nil for one of several traces or of none; and for each new group, numbered
    ///   on from `groups`, the group that it was taken from.
    package mutating func divideByTrace(
        groups: Int,
        repeatsMax: (perGroup: Int, all: Int),
        by place: (Int, Envelope) -> TraceID? = { $1.unit($0).hasTrace ? $1.unit($0).traceID : nil }
    ) -> (traces: [TraceID?], origins: [UInt16]) {
        var division = TraceDivision(groups: groups, repeatsMax)
        var numbers = TraceNumbers()
        for index in 0..<unitCount where removal(of: index) == nil {
            let unit = unit(index)
            let origin = group(of: index)
            let id = place(index, self)
            let trace = id.map { numbers.number(of: $0) } ?? -1
            let target = division.group(of: trace, id, from: origin, unit.scope, self)
            if target != origin { assign(index, to: target) }
        }
        return (division.traces, division.origins)
    }

    /// A unit of a group of `groups`, for what all of its units have in common; nil for a group without any.
    package func firstUnit(of group: UnitGroup) -> Int? {
        guard let units = group.units else {
            return (0..<unitCount).first { removal(of: $0) == nil && self.group(of: $0) == group.number }
        }
        return units.first.map(Int.init)
    }
}

/// Which group each trace goes to.
private struct TraceDivision {
    /// A trace in one of the groups that there were.
    private struct Key: Hashable {
        let origin: UInt16
        let trace: Int
    }

    /// By group.
    private(set) var traces: [TraceID?]
    private(set) var origins: [UInt16] = []
    private let groups: Int
    private let repeatsMax: (perGroup: Int, all: Int)
    /// The trace that stays in each of the groups that there were, by number; nil before the first.
    private var owners: [Int?]
    private var known: [Key: UInt16] = [:]
    /// The group of several traces that was taken from a group.
    private var rests: [UInt16: UInt16] = [:]
    private var latest: (key: Key, group: UInt16)?
    private var sizes: EnvelopeSizes?
    private var repeated = 0

    init(groups: Int, _ repeatsMax: (perGroup: Int, all: Int)) {
        self.groups = groups
        self.repeatsMax = repeatsMax
        traces = Array(repeating: nil, count: groups)
        owners = Array(repeating: nil, count: groups)
    }

    @inline(__always)
    mutating func group(
        of trace: Int,
        _ id: TraceID?,
        from origin: UInt16,
        _ scope: Int,
        _ batch: borrowing Envelope
    ) -> UInt16 {
        let key = Key(origin: origin, trace: trace)
        if let latest, latest.key == key { return latest.group }
        let group = find(key, id, scope, batch)
        latest = (key, group)
        return group
    }

    private mutating func find(_ key: Key, _ id: TraceID?, _ scope: Int, _ batch: borrowing Envelope) -> UInt16 {
        let origin = Int(key.origin)
        guard let owner = owners[origin] else {
            owners[origin] = key.trace
            traces[origin] = id
            return key.origin
        }
        if owner == key.trace { return key.origin }
        if let group = known[key] { return group }
        if rests[key.origin] == nil, let group = new(id, from: key.origin, scope, batch) {
            known[key] = group
            return group
        }
        let rest = rests[key.origin] ?? add(nil, from: key.origin)
        rests[key.origin] = rest
        known[key] = rest
        return rest
    }

    /// A group of its own; nil where that would repeat too much, and the rest would have no number left.
    private mutating func new(
        _ id: TraceID?,
        from origin: UInt16,
        _ scope: Int,
        _ batch: borrowing Envelope
    ) -> UInt16? {
        // Each of the groups that there were may need one more for its rest.
        guard traces.count + groups < Int(UInt16.max) else { return nil }
        let sizes = sizes ?? EnvelopeSizes(copy batch)
        self.sizes = sizes
        repeated += sizes.scopes[scope] + sizes.resources[sizes.resourceOf[scope]]
        let allowed = min(repeatsMax.all, repeatsMax.perGroup * (origins.count + 1))
        return repeated <= allowed ? add(id, from: origin) : nil
    }

    private mutating func add(_ id: TraceID?, from origin: UInt16) -> UInt16 {
        let group = UInt16(truncatingIfNeeded: traces.count)
        traces.append(id)
        origins.append(origin)
        return group
    }
}
