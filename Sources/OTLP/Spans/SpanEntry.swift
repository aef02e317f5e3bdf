/// One span.
@usableFromInline
package struct SpanEntry: BitwiseCopyable, Sendable {
    /// What units of every signal have.
    @usableFromInline var unit = UnitEntry()
    @usableFromInline var twinCount: UInt16 = 0
    @usableFromInline var parentBits: UInt64 = 0
    /// Nanoseconds since 1970 (`start_time_unix_nano`).
    package internal(set) var start: UInt64 = 0
    /// Nanoseconds since 1970 (`end_time_unix_nano`).
    package internal(set) var end: UInt64 = 0
    @usableFromInline var nameRange = ShortRange()
    @usableFromInline var statusMessageRange = ShortRange()
    @usableFromInline var traceStateRange = ShortRange()
    @usableFromInline var eventRange = ShortRange()
    @usableFromInline var kindBits: Int32 = 0
    @usableFromInline var statusBits: Int32 = 0
    @usableFromInline var flagBits: UInt32 = 0

    /// The 16 bytes of `trace_id`; zero where they are not 16.
    @inlinable @inline(__always) package var traceID: TraceID { unit.traceID }
    /// The 8 bytes of `span_id`; zero where they are not 8.
    @inlinable @inline(__always) package var spanID: SpanID { unit.spanID }
    /// The parent's id; nil for a root.
    @inlinable @inline(__always) package var parentID: SpanID? { parentBits == 0 ? nil : SpanID(parentBits) }
    /// The bytes of the name.
    @inlinable @inline(__always) package var name: Range<Int> { nameRange.range }
    /// `SpanKind` as a number; values of later versions of OTLP included.
    @inlinable @inline(__always) package var kind: Int { Int(kindBits) }
    /// `Status.code`: 0 unset, 1 ok, 2 error.
    @inlinable @inline(__always) package var statusCode: Int { Int(statusBits) }
    /// Whether `flags` say that the parent is in another process; false where they do not say so.
    package var isParentRemote: Bool { ParentLink.isRemote(flagBits) }
    /// The bytes of `Status.message`.
    @inlinable @inline(__always) package var statusMessage: Range<Int> { statusMessageRange.range }
    /// The bytes of `trace_state` (W3C Trace Context).
    @inlinable @inline(__always) package var traceState: Range<Int> { traceStateRange.range }
    /// Index into `Envelope.scopes`.
    @inlinable @inline(__always) package var scope: Int { unit.scope }
    /// Indices into `Envelope.attributes`.
    @inlinable @inline(__always) package var attributes: Range<Int> { unit.attributes }
    /// Indices into `Envelope.events`.
    @inlinable @inline(__always) package var events: Range<Int> { eventRange.range }
    /// How many of its first attributes have the keys that those of the span before have, counted up to 65,535; 0 where that
    /// one has a flaw.
    @inlinable @inline(__always) package var twins: Int { Int(twinCount) }
    /// How many bytes the span takes in the body, its tag and length included.
    @inlinable @inline(__always) package var size: Int { unit.size }
    /// The whole span, its tag and length included.
    package var field: Range<Int> { unit.frame.field }
    /// Why the span is invalid; nil for a valid one.
    package var flaw: SpanFlaw? { unit.flaw }
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
    /// Indices into `Envelope.attributes`.
    package var attributes: Range<Int> { attributeRange.range }
    /// Index into `Envelope.spans`.
    package var span: Int { Int(spanIndex) }
}
