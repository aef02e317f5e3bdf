/// The 16 bytes that name a trace.
@usableFromInline
package struct TraceID: BitwiseCopyable, Hashable, Sendable {
    /// The first eight bytes, the first one highest.
    @usableFromInline package let high: UInt64
    /// The last eight bytes.
    @usableFromInline package let low: UInt64

    @inlinable
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    @inlinable
    package static func == (left: TraceID, right: TraceID) -> Bool { left.high == right.high && left.low == right.low }
}

/// The 8 bytes that name a span within its trace.
@usableFromInline
package struct SpanID: BitwiseCopyable, Hashable, Sendable {
    /// The bytes, the first one highest.
    @usableFromInline package let value: UInt64

    @inlinable
    package init(_ value: UInt64) {
        self.value = value
    }

    @inlinable
    package static func == (left: SpanID, right: SpanID) -> Bool { left.value == right.value }
}

extension TraceID: CustomStringConvertible {
    /// 32 lower-case hexadecimal digits.
    @usableFromInline package var description: String { high.hexadecimal + low.hexadecimal }
}

extension SpanID: CustomStringConvertible {
    /// 16 lower-case hexadecimal digits.
    @usableFromInline package var description: String { value.hexadecimal }
}

extension UInt64 {
    fileprivate var hexadecimal: String {
        let digits = String(self, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
