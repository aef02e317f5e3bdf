/// A range of a body in half the room; bodies are under 2 GiB.
@usableFromInline
struct ShortRange: BitwiseCopyable, Sendable, Equatable {
    @usableFromInline var start: Int32 = 0
    @usableFromInline var end: Int32 = 0

    @inlinable init() {}

    @inlinable @inline(__always) init(_ range: Range<Int>) {
        start = Int32(truncatingIfNeeded: range.lowerBound)
        end = Int32(truncatingIfNeeded: range.upperBound)
    }

    @inlinable @inline(__always) init(_ start: Int, _ end: Int) {
        self.init(Range(uncheckedBounds: (start, end)))
    }

    @inlinable @inline(__always) var range: Range<Int> { Range(uncheckedBounds: (Int(start), Int(end))) }
    @inlinable @inline(__always) var isEmpty: Bool { start == end }
}

/// Where a message stands: `field` from its tag on, `body` without tag and length.
@usableFromInline
struct Frame: BitwiseCopyable, Sendable, Equatable {
    @usableFromInline var start: Int32 = 0
    @usableFromInline var body: Int32 = 0
    @usableFromInline var end: Int32 = 0

    @inlinable init() {}

    @inlinable @inline(__always) init(start: Int, body: Range<Int>) {
        self.start = Int32(truncatingIfNeeded: start)
        self.body = Int32(truncatingIfNeeded: body.lowerBound)
        end = Int32(truncatingIfNeeded: body.upperBound)
    }

    @inlinable @inline(__always) var field: Range<Int> { Int(start)..<Int(end) }
    @inlinable @inline(__always) var content: Range<Int> { Int(body)..<Int(end) }
}

/// What owns an attribute.
@usableFromInline
package enum Place: Hashable, Sendable {
    /// An index into `Envelope.resources`.
    case resource(Int)
    /// An index into `Envelope.scopes`.
    case scope(Int)
    /// The number of a unit; for a span the index into `Envelope.spans`.
    case span(Int)
    /// An index into `Envelope.events`.
    case event(Int)

    @inlinable @inline(__always)
    init(packed: UInt32) {
        let index = Int(packed & 0x3FFF_FFFF)
        switch packed >> 30 {
        case 0: self = .resource(index)
        case 1: self = .scope(index)
        case 2: self = .span(index)
        default: self = .event(index)
        }
    }

    @inlinable @inline(__always)
    var packed: UInt32 {
        switch self {
        case .resource(let index): UInt32(truncatingIfNeeded: index)
        case .scope(let index): UInt32(truncatingIfNeeded: index) | 1 << 30
        case .span(let index): UInt32(truncatingIfNeeded: index) | 2 << 30
        case .event(let index): UInt32(truncatingIfNeeded: index) | 3 << 30
        }
    }
}

/// One `KeyValue` of a resource, scope, span or event.
@usableFromInline
package struct AttributeEntry: BitwiseCopyable, Sendable {
    @usableFromInline var fieldRange: ShortRange
    @usableFromInline var keyRange: ShortRange
    @usableFromInline var valueRange: ShortRange
    @usableFromInline var owner: UInt32

    /// The bytes of the key.
    @inlinable @inline(__always) package var key: Range<Int> { keyRange.range }
    /// The `AnyValue` message; empty where there is none.
    @inlinable @inline(__always) package var value: Range<Int> { valueRange.range }
    /// From the tag of the `KeyValue` to its end.
    @inlinable @inline(__always) package var field: Range<Int> { fieldRange.range }
    /// What it describes.
    @inlinable @inline(__always) package var place: Place { Place(packed: owner) }
}

/// One unit: a span, a log record, or a metric with its data points.
@usableFromInline
package struct UnitEntry: BitwiseCopyable, Sendable {
    /// The 16 bytes of `trace_id`; zero where they are not 16, and for metrics.
    @usableFromInline package internal(set) var traceID = TraceID(high: 0, low: 0)
    /// The 8 bytes of `span_id`; zero where they are not 8, and for metrics.
    @usableFromInline package internal(set) var spanID = SpanID(0)
    @usableFromInline var frame = Frame()
    @usableFromInline var attributeRange = ShortRange()
    @usableFromInline var scopeIndex: Int32 = 0
    var itemCount: Int32 = 1
    /// Why the unit is invalid; nil for a valid one.
    package internal(set) var flaw: SpanFlaw?

    init() {}

    /// Index into `Envelope.scopes`.
    @inlinable @inline(__always) package var scope: Int { Int(scopeIndex) }
    /// Indices into `Envelope.attributes`; those of a metric are its `metadata`.
    @inlinable @inline(__always) package var attributes: Range<Int> { attributeRange.range }
    /// How many items of its signal it counts for: one, or as many as a metric has data points.
    package var items: Int { Int(itemCount) }
    /// How many bytes the unit takes in the body, its tag and length included.
    @inlinable @inline(__always) package var size: Int { Int(frame.end &- frame.start) }
    /// Whether it belongs to a trace.
    package var hasTrace: Bool { traceID.high | traceID.low != 0 }
}

/// One `ScopeSpans`, `ScopeLogs` or `ScopeMetrics`.
package struct ScopeEntry: BitwiseCopyable, Sendable {
    var frame: Frame
    /// The `scope` field; the first where it is given in parts, empty where it is missing.
    var scopeFrame = Frame()
    var isSplit = false
    /// Whether no other field stands between two units.
    var isDense = true
    var resourceIndex: Int32
    var nameRange = ShortRange()
    var versionRange = ShortRange()
    var attributeRange = ShortRange()
    var unitRange = ShortRange()

    /// Index into `Envelope.resources`.
    package var resource: Int { Int(resourceIndex) }
    /// The bytes of the instrumentation scope's name.
    package var name: Range<Int> { nameRange.range }
    /// The bytes of the instrumentation scope's version.
    package var version: Range<Int> { versionRange.range }
    /// Indices into `Envelope.attributes`.
    package var attributes: Range<Int> { attributeRange.range }
    /// The numbers of its units.
    package var units: Range<Int> { unitRange.range }
}

/// One `ResourceSpans`, `ResourceLogs` or `ResourceMetrics`.
package struct ResourceEntry: BitwiseCopyable, Sendable {
    var frame: Frame
    /// The `resource` field; the first where it is given in parts, empty where it is missing.
    var resourceFrame = Frame()
    var isSplit = false
    /// Whether no other field stands between two scopes.
    var isDense = true
    var attributeRange = ShortRange()
    var scopeRange = ShortRange()

    /// Indices into `Envelope.attributes`.
    package var attributes: Range<Int> { attributeRange.range }
    /// Indices into `Envelope.scopes`.
    package var scopes: Range<Int> { scopeRange.range }
}
