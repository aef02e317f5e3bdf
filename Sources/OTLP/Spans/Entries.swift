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
    /// An index into `SpanBatch.resources`.
    case resource(Int)
    /// An index into `SpanBatch.scopes`.
    case scope(Int)
    /// An index into `SpanBatch.spans`.
    case span(Int)
    /// An index into `SpanBatch.events`.
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

/// One event of a span.
package struct EventEntry: BitwiseCopyable, Sendable {
    var frame: Frame
    var nameRange = ShortRange()
    var attributeRange = ShortRange()
    var spanIndex: Int32
    /// Nanoseconds since 1970 (`time_unix_nano`).
    package var time: UInt64 = 0

    /// The bytes of the name.
    package var name: Range<Int> { nameRange.range }
    /// Indices into `SpanBatch.attributes`.
    package var attributes: Range<Int> { attributeRange.range }
    /// Index into `SpanBatch.spans`.
    package var span: Int { Int(spanIndex) }
}

/// One span.
@usableFromInline
package struct SpanEntry: BitwiseCopyable, Sendable {
    /// The 16 bytes of `trace_id`; zero where they are not 16.
    package internal(set) var traceID = TraceID(high: 0, low: 0)
    /// The 8 bytes of `span_id`; zero where they are not 8.
    package internal(set) var spanID = SpanID(0)
    @usableFromInline var parentBits: UInt64 = 0
    /// Nanoseconds since 1970 (`start_time_unix_nano`).
    package internal(set) var start: UInt64 = 0
    /// Nanoseconds since 1970 (`end_time_unix_nano`).
    package internal(set) var end: UInt64 = 0
    @usableFromInline var frame = Frame()
    @usableFromInline var nameRange = ShortRange()
    @usableFromInline var statusMessageRange = ShortRange()
    @usableFromInline var traceStateRange = ShortRange()
    @usableFromInline var attributeRange = ShortRange()
    @usableFromInline var eventRange = ShortRange()
    @usableFromInline var scopeIndex: Int32 = 0
    @usableFromInline var kindBits: Int32 = 0
    @usableFromInline var statusBits: Int32 = 0
    @usableFromInline var twinCount: Int32 = 0
    /// Why the span is invalid; nil for a valid one.
    package internal(set) var flaw: SpanFlaw?

    /// The parent's id; nil for a root.
    @inlinable @inline(__always) package var parentID: SpanID? { parentBits == 0 ? nil : SpanID(parentBits) }
    /// The bytes of the name.
    @inlinable @inline(__always) package var name: Range<Int> { nameRange.range }
    /// `SpanKind` as a number; values of later versions of OTLP included.
    @inlinable @inline(__always) package var kind: Int { Int(kindBits) }
    /// `Status.code`: 0 unset, 1 ok, 2 error.
    @inlinable @inline(__always) package var statusCode: Int { Int(statusBits) }
    /// The bytes of `Status.message`.
    @inlinable @inline(__always) package var statusMessage: Range<Int> { statusMessageRange.range }
    /// The bytes of `trace_state` (W3C Trace Context).
    @inlinable @inline(__always) package var traceState: Range<Int> { traceStateRange.range }
    /// Index into `SpanBatch.scopes`.
    @inlinable @inline(__always) package var scope: Int { Int(scopeIndex) }
    /// Indices into `SpanBatch.attributes`.
    @inlinable @inline(__always) package var attributes: Range<Int> { attributeRange.range }
    /// Indices into `SpanBatch.events`.
    @inlinable @inline(__always) package var events: Range<Int> { eventRange.range }
    /// How many of its first attributes have the keys that those of the span before have; 0 where that one has a flaw.
    @inlinable @inline(__always) package var twins: Int { Int(twinCount) }
    /// How many bytes the span takes in the body, its tag and length included.
    @inlinable @inline(__always) package var size: Int { Int(frame.end &- frame.start) }
}

/// One `ScopeSpans`.
package struct ScopeEntry: BitwiseCopyable, Sendable {
    var frame: Frame
    /// The `scope` field; the first where it is given in parts, empty where it is missing.
    var scopeFrame = Frame()
    var isSplit = false
    /// Whether no other field stands between two spans.
    var isDense = true
    var resourceIndex: Int32
    var nameRange = ShortRange()
    var versionRange = ShortRange()
    var attributeRange = ShortRange()
    var spanRange = ShortRange()

    /// Index into `SpanBatch.resources`.
    package var resource: Int { Int(resourceIndex) }
    /// The bytes of the instrumentation scope's name.
    package var name: Range<Int> { nameRange.range }
    /// The bytes of the instrumentation scope's version.
    package var version: Range<Int> { versionRange.range }
    /// Indices into `SpanBatch.attributes`.
    package var attributes: Range<Int> { attributeRange.range }
    /// Indices into `SpanBatch.spans`.
    package var spans: Range<Int> { spanRange.range }
}

/// One `ResourceSpans`.
package struct ResourceEntry: BitwiseCopyable, Sendable {
    var frame: Frame
    /// The `resource` field; the first where it is given in parts, empty where it is missing.
    var resourceFrame = Frame()
    var isSplit = false
    /// Whether no other field stands between two scopes.
    var isDense = true
    var attributeRange = ShortRange()
    var scopeRange = ShortRange()

    /// Indices into `SpanBatch.attributes`.
    package var attributes: Range<Int> { attributeRange.range }
    /// Indices into `SpanBatch.scopes`.
    package var scopes: Range<Int> { scopeRange.range }
}
