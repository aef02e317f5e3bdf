import Basics

/// Spans in wire form.
package struct EncodedSpans: Sendable {
    /// One export request.
    package let payload: [UInt8]
    /// How many spans are inside.
    package let spans: Int
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
        return encoded(kept[...])
    }

    /// Writes all groups that have a span left, in the order of their numbers.
    package func encodedByGroup() -> [(group: UInt16, spans: EncodedSpans)] {
        guard !marks.groups.isEmpty else { return encoded().map { [(group: UInt16(0), spans: $0)] } ?? [] }
        var starts = [Int](repeating: 0, count: marks.groupCounts.count + 1)
        for index in spans.indices where isKept(index) { starts[Int(marks.groups[index]) + 1] += 1 }
        for group in marks.groupCounts.indices { starts[group + 1] += starts[group] }
        var kept = [Int32](repeating: 0, count: starts.last ?? 0)
        var next = starts
        for index in spans.indices where isKept(index) {
            let group = Int(marks.groups[index])
            kept[next[group]] = Int32(truncatingIfNeeded: index)
            next[group] += 1
        }
        return marks.groupCounts.indices.compactMap { index in
            let group = UInt16(truncatingIfNeeded: index)
            guard !isWhole(group) else { return (group, EncodedSpans(payload: bytes, spans: spans.count)) }
            return encoded(kept[starts[index]..<starts[index + 1]]).map { (group, $0) }
        }
    }

    private func isKept(_ span: Int) -> Bool { marks.removals.isEmpty || marks.removals[span] == 0 }

    /// Whether nothing was marked and all spans are in that group.
    private func isWhole(_ group: UInt16) -> Bool {
        guard marks.isEmpty else { return false }
        guard !marks.groups.isEmpty else { return group == 0 }
        return Int(group) < marks.groupCounts.count && marks.groupCounts[Int(group)] == spans.count
    }

    private func encoded(_ kept: ArraySlice<Int32>) -> EncodedSpans? {
        guard !kept.isEmpty else { return nil }
        var writer = SpanWriter(self, kept)
        writer.request()
        let payload = marks.builder.bytes.withBytes { writer.assembly.bytes(bytes.span.bytes, $0) }
        return EncodedSpans(payload: payload, spans: kept.count)
    }
}
