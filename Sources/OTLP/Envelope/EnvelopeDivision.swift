import Basics

/// One request's units in the order of their traces, to be written in parts, one at a time.
///
/// Each part repeats the resources and scopes that its units have, so that many small parts of a request with a large
/// resource would take a multiple of its bytes. `Repeats` bounds that: once it is used up, the last part takes the rest.
package struct EnvelopeDivision: Sendable {
    /// Consecutive units in the order of their traces, or data points of one metric.
    package struct Part: Sendable, Equatable {
        let range: Range<Int>
        /// Those that are meant where the one unit is a metric; nil for all.
        var points: PointRun?
    }

    /// Bytes of resources and scopes that may still be written again.
    package struct Repeats: Sendable {
        var left: Int

        /// - Parameter bytes: Of the request that is divided; twice as many may be repeated, and 64 KiB.
        package init(for bytes: Int) {
            left = 2 * bytes + CostLimits.writtenBase
        }
    }

    let batch: Envelope
    private let order: [Int32]
    private let bundleStarts: [Int]

    /// Reads the frames of a request that was validated before.
    ///
    /// Throws where they are broken, and where their index would take more than eight times the request and 1 MiB.
    package init(framesOf payload: [UInt8], signal: Signal) throws(WireError) {
        let heldMax = RequestAccount(bytes: payload.count).heldMax
        let limits = WireLimits(indexBytesMax: heldMax)
        self.init(try Envelope(framesOf: payload, signal: signal, limits: limits))
    }

    /// Removed units are left out.
    package init(_ batch: Envelope) {
        self.batch = batch
        (order, bundleStarts) = batch.bundles()
    }

    /// All units.
    package var whole: Part { Part(range: 0..<order.count) }

    /// Divides a part so that each of the new ones holds whole traces and stays within limits.
    ///
    /// A trace that is over the limits by itself gets a part of its own, or several where `dividesTraces`; a span or log record
    /// that is over them always gets one of its own, and a metric one for each run of its data points that is within them.
    ///
    /// - Parameters:
    ///   - part: What is divided.
    ///   - itemsMax: Items in one part.
    ///   - bytesMax: Bytes of the units in one part; resources and scopes come on top.
    ///   - dividesTraces: Whether a trace may be spread where it does not fit into one part.
    ///   - repeats: Charged with the resources and scopes of every part but the first.
    /// - Returns: At least one part; one that is over the limits where nothing more may be repeated.
    package func parts(
        of part: Part,
        itemsMax: Int,
        bytesMax: Int,
        dividesTraces: Bool = false,
        repeats: inout Repeats
    ) -> [Part] {
        let envelopes = EnvelopeSizes(batch)
        guard part.points == nil else {
            return runs(of: part, itemsMax: itemsMax, bytesMax: bytesMax, envelopes, &repeats)
        }
        var filling = Filling(itemsMax, bytesMax, start: part.range.lowerBound, envelopes, repeats)
        for bundle in bundles(in: part.range) {
            let size = bundle.reduce(0) { $0 + unit(at: $1).size }
            let items = bundle.reduce(0) { $0 + unit(at: $1).items }
            let isDivided = dividesTraces && (items > itemsMax || size > bytesMax)
            if !isDivided { filling.makeRoom(items: items, bytes: size, at: bundle.lowerBound) }
            for index in bundle {
                let unit = unit(at: index)
                if isDivided { filling.makeRoom(items: unit.items, bytes: unit.size, at: index) }
                filling.take(unit)
            }
        }
        repeats = filling.repeats
        return filling.parts(until: part.range.upperBound).flatMap { range in
            runs(of: Part(range: range), itemsMax: itemsMax, bytesMax: bytesMax, envelopes, &repeats)
        }
    }

    /// Writes a part; nil for one without items.
    ///
    /// Fields beside the resources go with the first part only.
    package func encoded(_ part: Part) -> EncodedUnits? {
        let kept = order[part.range].sorted()
        let isFirst = part.range.lowerBound == 0 && part.points?.isFirst ?? true
        return batch.encoded(kept[...], withOthers: isFirst, points: part.points)?.units
    }

    func unit(at index: Int) -> UnitEntry { batch.unit(Int(order[index])) }

    /// The bundles in a range; its ends may lie inside of some.
    private func bundles(in range: Range<Int>) -> [Range<Int>] {
        let inner = bundleStarts.filter { range.lowerBound < $0 && $0 < range.upperBound }
        let bounds = [range.lowerBound] + inner + [range.upperBound]
        return zip(bounds, bounds.dropFirst()).compactMap { $0 < $1 ? $0..<$1 : nil }
    }
}

/// The bytes around the units of each scope and around the scopes of each resource.
///
/// Where other fields stand between them, everything inside counts: each part has to look at all of it.
struct EnvelopeSizes {
    let resourceOf: [Int]
    let scopes: [Int]
    let resources: [Int]

    init(_ batch: Envelope) {
        var scopes = batch.scopes.map { $0.frame.field.count }
        for index in 0..<batch.unitCount {
            let unit = batch.unit(index)
            if batch.scopes[unit.scope].isDense { scopes[unit.scope] -= unit.size }
        }
        var resources = batch.resources.map { $0.frame.field.count }
        for scope in batch.scopes where batch.resources[scope.resource].isDense {
            resources[scope.resource] -= scope.frame.field.count
        }
        resourceOf = batch.scopes.map(\.resource)
        self.scopes = scopes
        self.resources = resources
    }
}

/// The part that is being filled.
private struct Filling {
    let itemsMax: Int
    let bytesMax: Int
    let envelopes: EnvelopeSizes
    private(set) var repeats: EnvelopeDivision.Repeats
    private var starts: [Int]
    private var items = 0
    private var bytes = 0
    /// The part that each scope and resource was last in.
    private var scopeParts: [Int]
    private var resourceParts: [Int]

    init(
        _ itemsMax: Int,
        _ bytesMax: Int,
        start: Int,
        _ envelopes: EnvelopeSizes,
        _ repeats: EnvelopeDivision.Repeats
    ) {
        self.itemsMax = itemsMax
        self.bytesMax = bytesMax
        self.envelopes = envelopes
        self.repeats = repeats
        starts = [start]
        scopeParts = Array(repeating: 0, count: envelopes.scopes.count)
        resourceParts = Array(repeating: 0, count: envelopes.resources.count)
    }

    /// Opens the next part at `index` where this one would go over its limits and something may be repeated.
    mutating func makeRoom(items more: Int, bytes size: Int, at index: Int) {
        guard bytes > 0, repeats.left > 0, items + more > itemsMax || bytes + size > bytesMax else { return }
        starts.append(index)
        (items, bytes) = (0, 0)
    }

    mutating func take(_ unit: UnitEntry) {
        items += unit.items
        bytes += unit.size
        let scope = unit.scope
        let part = starts.count
        guard scopeParts[scope] != part else { return }
        scopeParts[scope] = part
        if part > 1 { repeats.left -= envelopes.scopes[scope] }
        let resource = envelopes.resourceOf[scope]
        guard resourceParts[resource] != part else { return }
        resourceParts[resource] = part
        if part > 1 { repeats.left -= envelopes.resources[resource] }
    }

    func parts(until end: Int) -> [Range<Int>] {
        zip(starts, starts.dropFirst() + [end]).compactMap { $0 < $1 ? $0..<$1 : nil }
    }
}
