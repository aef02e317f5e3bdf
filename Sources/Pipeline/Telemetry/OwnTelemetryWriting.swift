import Basics
import OTLP

// Spans and metrics of Millrace as export requests of OTLP (opentelemetry-proto 1.11); the tags beside the fields are theirs.

/// What all that Millrace sends about itself is said to come from.
struct OwnResource: Sendable {
    /// Another one for each process.
    let instance = TraceContext.random().traceID.description

    /// A request of one resource and one scope, whose items are `items`, each behind its tag.
    fileprivate func request(_ items: [UInt8]) -> [UInt8] {
        var resource: [UInt8] = []
        for (key, value) in [
            ("service.name", Product.name), ("service.version", Product.version), ("service.instance.id", instance),
        ] {
            resource.appendNested(0x0A, .attribute(key, .text(value)))
        }
        var scope: [UInt8] = []
        scope.appendText(0x0A, Product.name)
        scope.appendText(0x12, Product.version)
        var scoped: [UInt8] = []
        scoped.appendNested(0x0A, scope)
        scoped += items
        var resourced: [UInt8] = []
        resourced.appendNested(0x0A, resource)
        resourced.appendNested(0x12, scoped)
        var request: [UInt8] = []
        request.appendNested(0x0A, resourced)
        return request
    }

    /// An `ExportTraceServiceRequest`.
    func request(spans: [OwnSpan]) -> [UInt8] {
        var items: [UInt8] = []
        for span in spans { items.appendNested(0x12, span.encoded) }
        return request(items)
    }

    /// An `ExportMetricsServiceRequest`, cumulative since `start`, and how many data points it has.
    func request(metrics families: [Meters.Reading], since start: UnixTime, at now: UnixTime) -> ([UInt8], Int) {
        var items: [UInt8] = []
        var points = 0
        for family in families {
            items.appendNested(0x12, family.encoded(since: start, at: now))
            points += family.series.count
        }
        return (request(items), points)
    }
}

extension [UInt8] {
    /// A `KeyValue`.
    fileprivate static func attribute(_ key: String, _ value: OwnSpan.Value) -> [UInt8] {
        var inner: [UInt8] = []
        switch value {
        case .text(let text):
            // Present even where it is empty.
            inner.append(0x0A)
            inner.appendVarint(text.utf8.count)
            inner.append(contentsOf: text.utf8)
        case .integer(let number):
            inner.append(0x18)
            inner.appendVarint(UInt64(bitPattern: Int64(number)))
        case .seconds(let duration): inner.appendDouble(0x21, duration.inSeconds)
        }
        var pair: [UInt8] = []
        pair.appendText(0x0A, key)
        pair.appendNested(0x12, inner)
        return pair
    }

    fileprivate mutating func appendDouble(_ tag: UInt8, _ value: Double) {
        append(tag)
        appendFixed64(value.bitPattern)
    }

    fileprivate mutating func appendTime(_ tag: UInt8, _ time: UnixTime) {
        append(tag)
        appendFixed64(time.nanoseconds)
    }

    fileprivate mutating func appendNumber(_ tag: UInt8, _ value: UInt64) {
        append(tag)
        appendVarint(value)
    }

    /// The bytes of an id, the first one highest.
    fileprivate mutating func appendID(_ tag: UInt8, _ words: UInt64...) {
        append(tag)
        appendVarint(words.count * 8)
        for word in words { appendFixed64(word.byteSwapped) }
    }
}

extension Envelope {
    /// Whether all of it is what a Millrace says about itself.
    var isOwnTelemetry: Bool {
        // The scope stays what it is on its way through other collectors.
        !scopes.isEmpty && scopes.allSatisfy { text($0.name) == Product.name }
    }
}

extension OwnSpan {
    /// Characters of a status message, at most.
    private static let failureMax = 256
    /// W3C's "sampled"; that it is known whether the parent is remote; that it is.
    private static let flags: (sampled: UInt32, isKnown: UInt32, isRemote: UInt32) = (0x1, 0x100, 0x200)

    /// A `Span`.
    fileprivate var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendID(0x0A, context.traceID.high, context.traceID.low)
        bytes.appendID(0x12, context.spanID.value)
        if let parent { bytes.appendID(0x22, parent.value) }
        bytes.appendText(0x2A, name)
        bytes.appendNumber(0x30, kind.rawValue)
        bytes.appendTime(0x39, begin)
        bytes.appendTime(0x41, max(begin, end))
        for (key, value) in attributes { bytes.appendNested(0x4A, .attribute(key, value)) }
        for link in links {
            var inner: [UInt8] = []
            inner.appendID(0x0A, link.traceID.high, link.traceID.low)
            inner.appendID(0x12, link.spanID.value)
            bytes.appendNested(0x6A, inner)
        }
        if let failure {
            var status: [UInt8] = []
            status.appendText(0x12, failure.excerpt(max: Self.failureMax))
            status.appendNumber(0x18, 2)
            bytes.appendNested(0x7A, status)
        }
        // The tag of field 16.
        bytes += [0x85, 0x01]
        bytes.appendFixed32(Self.flags.sampled | Self.flags.isKnown | (isParentRemote ? Self.flags.isRemote : 0))
        return bytes
    }
}

extension Meters.Reading {
    /// A `Metric`, with a data point for each series.
    fileprivate func encoded(since start: UnixTime, at now: UnixTime) -> [UInt8] {
        var data: [UInt8] = []
        for (labels, value) in series {
            var point: [UInt8] = []
            let attributes: UInt8
            switch value {
            case .number(let number):
                attributes = 0x3A
                if kind != .gauge { point.appendTime(0x11, start) }
                point.appendTime(0x19, now)
                point.appendDouble(0x21, number)
            case .histogram(let counts, let sum):
                attributes = 0x4A
                point.appendTime(0x11, start)
                point.appendTime(0x19, now)
                point.append(0x21)
                point.appendFixed64(counts.reduce(0, &+))
                point.appendDouble(0x29, sum.inSeconds)
                point.appendNested(0x32, .words(counts))
                point.appendNested(0x3A, .words(Histogram.bounds.map(\.inSeconds.bitPattern)))
            }
            for (key, text) in labels { point.appendNested(attributes, .attribute(key, .text(text))) }
            data.appendNested(0x0A, point)
        }
        // AGGREGATION_TEMPORALITY_CUMULATIVE.
        if kind != .gauge { data.appendNumber(0x10, 2) }
        if kind == .counter { data.appendNumber(0x18, 1) }
        var metric: [UInt8] = []
        metric.appendText(0x0A, name)
        metric.appendText(0x12, help ?? "")
        metric.appendText(0x1A, unit)
        let tag: UInt8 =
            switch kind {
            case .gauge: 0x2A
            case .counter: 0x3A
            case .histogram: 0x4A
            }
        metric.appendNested(tag, data)
        return metric
    }

    /// In UCUM.
    private var unit: String {
        if name.contains("_seconds") { return "s" }
        return name.contains("_bytes") ? "By" : ""
    }
}

extension [UInt8] {
    /// Eight bytes each.
    fileprivate static func words(_ words: [UInt64]) -> [UInt8] {
        var bytes: [UInt8] = []
        for word in words { bytes.appendFixed64(word) }
        return bytes
    }
}
