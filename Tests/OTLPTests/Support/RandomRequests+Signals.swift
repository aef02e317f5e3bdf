import Foundation
import Oracle

/// Log records and metrics.
extension RandomRequests {
    mutating func logRecord() -> LogRecord {
        var record = LogRecord()
        record.timeUnixNano = random.next()
        record.observedTimeUnixNano = random.chance(80) ? random.next() : 0
        record.severityNumber = .init(rawValue: random.below(27)) ?? .unspecified
        record.severityText = text()
        if random.chance(80) { record.body = KeyValue("", value(depth: 0)).value }
        record.attributes = attributes()
        record.droppedAttributesCount = random.chance(10) ? 5 : 0
        record.flags = random.chance(50) ? 1 : 0
        if random.chance(60) {
            // Some of one trace, and some of none.
            record.traceID =
                random.chance(60) ? Data(repeating: UInt8(1 + random.below(3)), count: 16) : random.bytes(16)
            if random.chance(10) { record.traceID = Data(repeating: 0, count: 16) }
            record.spanID = random.chance(80) ? random.bytes(8) : Data(repeating: 0, count: 8)
        }
        record.eventName = random.chance(20) ? text() : ""
        return record
    }

    mutating func metric() -> Metric {
        var metric = Metric()
        metric.name = text()
        metric.description_p = text()
        metric.unit = random.chance(50) ? "By" : ""
        metric.metadata = random.chance(20) ? attributes() : []
        let count = random.below(5)
        switch random.below(11) {
        case 0: break
        case 1, 2: metric.gauge.dataPoints = (0..<count).map { _ in number() }
        case 3, 4:
            metric.sum.dataPoints = (0..<count).map { _ in number() }
            metric.sum.aggregationTemporality = temporality()
            metric.sum.isMonotonic = random.chance(50)
        case 5, 6:
            metric.histogram.dataPoints = (0..<count).map { _ in histogram() }
            metric.histogram.aggregationTemporality = temporality()
        case 7, 8:
            metric.exponentialHistogram.dataPoints = (0..<count).map { _ in exponentialHistogram() }
            metric.exponentialHistogram.aggregationTemporality = temporality()
        default: metric.summary.dataPoints = (0..<count).map { _ in summary() }
        }
        return metric
    }

    private mutating func temporality() -> Temporality { .init(rawValue: random.below(4)) ?? .unspecified }

    private mutating func number() -> NumberDataPoint {
        var point = NumberDataPoint()
        point.startTimeUnixNano = random.chance(50) ? random.next() : 0
        point.timeUnixNano = random.next()
        if random.chance(50) {
            point.value = random.chance(50) ? .asDouble(double()) : .asInt(Int64(bitPattern: random.next()))
        }
        if random.chance(10) { point.value = .asInt(0) }
        point.attributes = attributes()
        point.exemplars = exemplars()
        point.flags = random.chance(10) ? 1 : 0
        return point
    }

    private mutating func histogram() -> HistogramDataPoint {
        var point = HistogramDataPoint()
        point.timeUnixNano = random.next()
        point.count = random.next()
        if random.chance(60) { point.sum = double() }
        let bounds = random.below(30)
        point.explicitBounds = (0..<bounds).map { _ in double() }
        point.bucketCounts = (0..<(bounds == 0 ? 0 : bounds + 1)).map { _ in random.next() >> 40 }
        if random.chance(40) { (point.min, point.max) = (double(), double()) }
        point.attributes = attributes()
        point.exemplars = exemplars()
        point.flags = random.chance(10) ? 1 : 0
        return point
    }

    private mutating func exponentialHistogram() -> ExponentialDataPoint {
        var point = ExponentialDataPoint()
        point.timeUnixNano = random.next()
        point.count = random.next()
        if random.chance(60) { point.sum = double() }
        point.scale = Int32(truncatingIfNeeded: random.next()) >> Int32(random.below(32))
        point.zeroCount = random.chance(50) ? random.next() : 0
        point.zeroThreshold = random.chance(20) ? double() : 0
        if random.chance(70) { point.positive = buckets() }
        if random.chance(30) { point.negative = buckets() }
        if random.chance(40) { (point.min, point.max) = (double(), double()) }
        point.attributes = attributes()
        point.exemplars = exemplars()
        return point
    }

    private mutating func buckets() -> ExponentialDataPoint.Buckets {
        var buckets = ExponentialDataPoint.Buckets()
        buckets.offset = Int32(random.below(100)) - 50
        buckets.bucketCounts = (0..<random.below(40)).map { _ in random.next() >> UInt64(random.below(64)) }
        return buckets
    }

    private mutating func summary() -> SummaryDataPoint {
        var point = SummaryDataPoint()
        point.timeUnixNano = random.next()
        point.count = UInt64(random.below(100))
        point.sum = double()
        point.quantileValues = (0..<random.below(4)).map { _ in
            var value = SummaryDataPoint.ValueAtQuantile()
            value.quantile = double()
            value.value = double()
            return value
        }
        point.attributes = attributes()
        return point
    }

    private mutating func exemplars() -> [Exemplar] {
        (0..<(random.chance(30) ? random.below(3) : 0)).map { _ in
            var exemplar = Exemplar()
            exemplar.timeUnixNano = random.next()
            exemplar.value = random.chance(50) ? .asDouble(double()) : .asInt(Int64(bitPattern: random.next()))
            exemplar.filteredAttributes = attributes()
            if random.chance(60) { (exemplar.traceID, exemplar.spanID) = (random.bytes(16), random.bytes(8)) }
            return exemplar
        }
    }
}
