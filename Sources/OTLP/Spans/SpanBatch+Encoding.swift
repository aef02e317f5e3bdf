package import Basics

/// Spans in wire form.
package struct EncodedSpans: Sendable {
    /// One export request.
    package let payload: [UInt8]
    /// How many spans are inside.
    package let spans: Int
}

/// The spans of a request that become one record.
package struct SpanGroup: Sendable {
    package let number: UInt16
    /// Ascending; nil where the group has all that are left.
    let spans: ArraySlice<Int32>?
    /// Whether it is the first of its request.
    var isFirst = true
}

extension SpanBatch {
    /// Writes the spans of a group in one pass.
    ///
    /// Scopes and resources that became empty vanish. Where nothing was marked and all spans are in this group, the
    /// result is `bytes` itself.
    ///
    /// - Returns: One export request; nil when the group has no span left.
    package func encoded(group: UInt16 = 0) -> EncodedSpans? {
        guard !isWhole(group) else { return spans.isEmpty ? nil : EncodedSpans(payload: bytes, spans: spans.count) }
        var kept: [Int32] = []
        kept.reserveCapacity(spans.count)
        for index in spans.indices where isKept(index) && self.group(of: index) == group {
            kept.append(Int32(truncatingIfNeeded: index))
        }
        return encoded(kept[...], withOthers: true)?.spans
    }

    /// The groups that have a span left, in the order of their numbers.
    package var groups: [SpanGroup] {
        guard !marks.groups.isEmpty else { return keptCount > 0 ? [SpanGroup(number: 0, spans: nil)] : [] }
        var starts = [Int](filledWith: 0, count: marks.groupCounts.count + 1)
        for index in spans.indices where isKept(index) { starts[Int(marks.groups[index]) + 1] += 1 }
        for group in marks.groupCounts.indices { starts[group + 1] += starts[group] }
        var kept = [Int32](filledWith: 0, count: starts.last ?? 0)
        var next = starts
        for index in spans.indices where isKept(index) {
            let group = Int(marks.groups[index])
            kept[next[group]] = Int32(truncatingIfNeeded: index)
            next[group] += 1
        }
        var groups: [SpanGroup] = []
        for index in marks.groupCounts.indices where starts[index] < starts[index + 1] {
            let number = UInt16(truncatingIfNeeded: index)
            let spans = isWhole(number) ? nil : kept[starts[index]..<starts[index + 1]]
            groups.append(SpanGroup(number: number, spans: spans, isFirst: groups.isEmpty))
        }
        return groups
    }

    /// Writes a group of `groups`.
    ///
    /// What stands beside the resources goes with the first of them. Resources and scopes are repeated for each group that
    /// has a span of theirs; throws where that takes more bytes or steps than the request may cost.
    package func encoded(
        _ group: SpanGroup,
        charging account: inout RequestAccount
    ) throws(CostExcess) -> EncodedSpans {
        guard let kept = group.spans, let part = encoded(kept, withOthers: group.isFirst) else {
            let whole = encoded(group: group.number) ?? EncodedSpans(payload: [], spans: 0)
            try account.charge(written: whole.payload.count)
            return whole
        }
        try account.charge(written: part.spans.payload.count)
        account.add(steps: part.steps)
        try account.check()
        return part.spans
    }

    private func isKept(_ span: Int) -> Bool { marks.removals.isEmpty || marks.removals[span] == 0 }

    /// Whether nothing was marked and all spans are in that group.
    private func isWhole(_ group: UInt16) -> Bool {
        guard marks.isEmpty else { return false }
        guard !marks.groups.isEmpty else { return group == 0 }
        return Int(group) < marks.groupCounts.count && marks.groupCounts[Int(group)] == spans.count
    }

    /// Writes these spans, in ascending order, and says how many fields it looked at one by one.
    ///
    /// `withOthers` says whether fields beside the resources are written too.
    func encoded(_ kept: ArraySlice<Int32>, withOthers: Bool) -> (spans: EncodedSpans, steps: Int)? {
        guard !kept.isEmpty else { return nil }
        var writer = SpanWriter(self, kept, withOthers: withOthers)
        writer.request()
        let payload = marks.builder.bytes.withBytes { writer.assembly.bytes(bytes.span.bytes, $0) }
        return (EncodedSpans(payload: payload, spans: kept.count), writer.steps)
    }
}
