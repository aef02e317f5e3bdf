import Basics
import Journal

extension TraceOrigin {
    init(_ spans: [WindowRecord], _ logs: [WindowRecord], joined: Int) {
        var holdings: [Holding] = []
        var places: [HoldingKey: Int] = [:]
        var latest: (key: HoldingKey, place: Int)?
        for record in spans {
            let metadata = record.part.metadata
            let holding = Holding(
                identity: metadata.identity,
                address: metadata.address,
                route: metadata.route,
                service: metadata.trace?.service ?? "",
                bytes: record.stored.sharedBytes
            )
            let key = HoldingKey(holding)
            if let latest, latest.key == key {
                holdings[latest.place].bytes += holding.bytes
                continue
            }
            let place = places[key] ?? holdings.count
            if place == holdings.count { holdings.append(holding) } else { holdings[place].bytes += holding.bytes }
            places[key] = place
            latest = (key, place)
        }
        self.init(
            spans: Self.merged(spans.map(\.ids)),
            logs: Self.merged(logs.map(\.ids)),
            joined: UInt32(clamping: joined),
            holdings: holdings
        )
        sampledOut = logs.reduce(0) { $0 + $1.part.metadata.removed[.sampledOut] }
    }

    /// Ascending ranges, without those that are empty, joined where one ends at the next.
    private static func merged(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        var merged: [Range<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = merged.last, last.upperBound == range.lowerBound {
                merged[merged.count - 1] = last.lowerBound..<range.upperBound
            } else {
                merged.append(range)
            }
        }
        return merged
    }

    /// The accounts of records of spans that it takes the place of: what became of the spans is counted behind the window.
    static func moved(_ ranges: [Range<UInt64>]) -> [SettledRecord] {
        ranges.flatMap(pieces).map { range in
            let items = UInt32(range.upperBound - range.lowerBound)
            return SettledRecord(id: range.lowerBound, items: items, outcomes: [.delivered: UInt64(items)])
        }
    }

    /// The accounts of records of log records: so many joined, which counts as delivered there, some were sampled out before; the
    /// others are filtered.
    static func joined(_ ranges: [Range<UInt64>], _ origin: TraceOrigin) -> [SettledRecord] {
        var (left, sampledLeft) = (UInt64(origin.joined), origin.sampledOut)
        return ranges.flatMap(pieces).map { range in
            let items = range.upperBound - range.lowerBound
            let joined = min(left, items)
            let sampledOut = min(sampledLeft, items - joined)
            (left, sampledLeft) = (left - joined, sampledLeft - sampledOut)
            let outcomes: OutcomeCounts = [
                .delivered: joined, .sampledOut: sampledOut, .filtered: items - joined - sampledOut,
            ]
            return SettledRecord(id: range.lowerBound, items: UInt32(items), outcomes: outcomes)
        }
    }

    /// A range in parts whose lengths a record may have.
    private static func pieces(_ range: Range<UInt64>) -> [Range<UInt64>] {
        stride(from: range.lowerBound, to: range.upperBound, by: Int(UInt32.max)).map { start in
            start..<min(range.upperBound, start + UInt64(UInt32.max))
        }
    }
}

/// Whose share a holding is of.
private struct HoldingKey: Hashable {
    let sender: Sender
    let route: Route
    let service: ExactText

    init(_ holding: TraceOrigin.Holding) {
        (sender, route, service) = (holding.sender, holding.route, ExactText(holding.service))
    }
}
