/// What a record behind a window was made of: the records before the window that it takes the place of.
///
/// As long as it lies in the journal it says of these records that they are settled (`WindowRecovery`).
package struct TraceOrigin: Hashable, Sendable {
    /// What one sender's spans of one service hold of the journal until the record is delivered.
    package struct Holding: Hashable, Sendable {
        package let identity: String?
        package let address: SourceAddress
        package let route: Route
        package let service: String
        package var bytes: Int

        package var sender: Sender { identity.map(Sender.identity) ?? .address(address) }
    }

    /// The ids that it stands for in the pipeline's log, ascending.
    package var spans: [Range<UInt64>]
    /// The same in its log of log records.
    package var logs: [Range<UInt64>]
    /// How many of those became content of its spans.
    package var joined: UInt32
    /// How many of them were sampled out before the window.
    package var sampledOut: UInt64 = 0
    package var holdings: [Holding]

    package init(
        spans: [Range<UInt64>],
        logs: [Range<UInt64>] = [],
        joined: UInt32 = 0,
        holdings: [Holding] = []
    ) {
        self.spans = spans
        self.logs = logs
        self.joined = joined
        self.holdings = holdings
    }
}

extension TraceOrigin {
    /// Ranges as their number, then for each the distance to the one before and the length; how many joined; the holdings; how many were
    /// sampled out, where any were.
    func append(to bytes: inout [UInt8]) {
        for ranges in [spans, logs] {
            bytes.append(leb128: UInt64(ranges.count))
            var end: UInt64 = 0
            for range in ranges {
                bytes.append(leb128: range.lowerBound - end)
                bytes.append(leb128: range.upperBound - range.lowerBound)
                end = range.upperBound
            }
        }
        bytes.append(leb128: UInt64(joined))
        bytes.append(leb128: UInt64(holdings.count))
        for holding in holdings {
            bytes.append(text: holding.identity ?? "")
            bytes.append(leb128: holding.address.bits)
            holding.route.append(to: &bytes)
            bytes.append(text: holding.service)
            bytes.append(leb128: UInt64(max(0, holding.bytes)))
        }
        if sampledOut > 0 { bytes.append(leb128: sampledOut) }
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        guard let spans = bytes.popRanges(), let logs = bytes.popRanges(),
            let joined = bytes.popLEB128().flatMap(UInt32.init(exactly:)), let count = bytes.popCount()
        else { return nil }
        var holdings: [Holding] = []
        for _ in 0..<count {
            guard let identity = bytes.popText(), let address = bytes.popLEB128(), let route = Route(popping: &bytes),
                let service = bytes.popText(), let held = bytes.popCount()
            else { return nil }
            holdings.append(
                Holding(
                    identity: identity.isEmpty ? nil : identity,
                    address: SourceAddress(bits: address),
                    route: route,
                    service: service,
                    bytes: held
                )
            )
        }
        self.init(spans: spans, logs: logs, joined: joined, holdings: holdings)
        guard !bytes.isEmpty else { return }
        guard let count = bytes.popLEB128() else { return nil }
        sampledOut = count
    }
}

extension ArraySlice<UInt8> {
    /// Nil where they are out of order or over 64 bits.
    fileprivate mutating func popRanges() -> [Range<UInt64>]? {
        guard let count = popCount() else { return nil }
        var ranges: [Range<UInt64>] = []
        var end: UInt64 = 0
        for _ in 0..<count {
            guard let gap = popLEB128(), let length = popLEB128(), length > 0 else { return nil }
            let (start, isOver) = end.addingReportingOverflow(gap)
            let (next, isTooLong) = start.addingReportingOverflow(length)
            guard !isOver, !isTooLong else { return nil }
            ranges.append(start..<next)
            end = next
        }
        return ranges
    }
}
