import Basics

// A metric with more data points than a request may have is written several times, each time with some of them: a data point says
// for itself when and of what it is, and the metric around it is repeated.

/// Consecutive data points of a metric.
struct PointRun: Sendable, Equatable {
    /// The tag of `data`.
    let tag: Int32
    /// The gauge, sum, histogram or summary that they are of.
    let data: Frame
    /// All data points, between which no other field stands.
    let all: ShortRange
    /// Those that are meant.
    let own: ShortRange
    let count: Int

    var isFirst: Bool { own.start == all.start }
}

extension EnvelopeWriter {
    /// Writes a metric with some of its data points.
    mutating func metric(_ frame: Frame, _ points: PointRun) {
        let metric = assembly.open(0x12)
        assembly.copy(frame.body, points.data.start)
        let data = assembly.open(points.tag)
        assembly.touch()
        assembly.copy(points.data.body, points.all.start)
        assembly.copy(points.own.start, points.own.end)
        assembly.copy(points.all.end, points.data.end)
        assembly.close(data, original: points.data)
        assembly.copy(points.data.end, frame.end)
        assembly.close(metric, original: frame)
    }
}

extension EnvelopeDivision {
    /// Divides a part that is one metric over the limits between its data points; any other part stays as it is.
    ///
    /// `repeats` is charged with the metric and what stands around it for every run but the first.
    func runs(
        of part: Part,
        itemsMax: Int,
        bytesMax: Int,
        _ envelopes: EnvelopeSizes,
        _ repeats: inout Repeats
    ) -> [Part] {
        guard batch.signal == .metrics, part.range.count == 1 else { return [part] }
        let unit = unit(at: part.range.lowerBound)
        let items = part.points?.count ?? unit.items
        let size = unit.size - (part.points.map { $0.all.range.count - $0.own.range.count } ?? 0)
        guard items > 1, items > itemsMax || size > bytesMax, let whole = part.points ?? points(of: unit) else {
            return [part]
        }
        let around = unit.size - whole.all.range.count
        let cost = around + envelopes.scopes[unit.scope] + envelopes.resources[envelopes.resourceOf[unit.scope]]
        var parts: [Part] = []
        var (start, end, count) = (whole.own.start, whole.own.start, 0)
        func take() {
            let own = ShortRange(Int(start), Int(end))
            let run = PointRun(tag: whole.tag, data: whole.data, all: whole.all, own: own, count: count)
            parts.append(Part(range: part.range, points: run))
        }
        var reader = WireReader(whole.own.range)
        while let point = try? reader.next(in: batch.bytes.span.bytes) {
            let isFull = count == itemsMax || around + point.field.upperBound - Int(start) > bytesMax
            if count > 0, isFull, repeats.left > 0 {
                take()
                repeats.left -= cost
                (start, count) = (end, 0)
            }
            end = Int32(truncatingIfNeeded: point.field.upperBound)
            count += 1
        }
        take()
        return parts.count > 1 ? parts : [part]
    }

    /// Where the data points of a metric stand; nil where they cannot be told apart, or other fields stand between them.
    private func points(of unit: UnitEntry) -> PointRun? {
        let text = batch.bytes.span.bytes
        var metric = WireReader(unit.frame.content)
        var data: WireField?
        while let field = try? metric.next(in: text) {
            // Gauge, sum, histogram, exponential histogram, summary.
            guard [5, 7, 9, 10, 11].contains(field.number) else { continue }
            // Of several kinds or parts no decoder but the client's knows what it meant.
            guard data == nil, field.form == .lengthDelimited else { return nil }
            data = field
        }
        guard let data else { return nil }
        var reader = WireReader(data.content)
        var (all, count): (Range<Int>?, Int) = (nil, 0)
        while let field = try? reader.next(in: text) {
            guard field.number == 1, field.form == .lengthDelimited else { continue }
            guard all.map({ $0.upperBound == field.field.lowerBound }) ?? true else { return nil }
            all = (all?.lowerBound ?? field.field.lowerBound)..<field.field.upperBound
            count += 1
        }
        guard let all, count == unit.items else { return nil }
        return PointRun(
            tag: Int32(truncatingIfNeeded: data.number << 3 | 2),
            data: Frame(start: data.field.lowerBound, body: data.content),
            all: ShortRange(all),
            own: ShortRange(all),
            count: count
        )
    }
}
