/// What one export request may hold.
package struct WireLimits: Sendable {
    /// Values inside values of one attribute, at most; a span, log record or metric with more is invalid.
    package var nestingMax: Int
    /// Spans, log records or metrics in one request, at most.
    package var unitsMax: Int
    /// Bytes that the index of one request may take: what bounds a body of many tiny fields.
    package var indexBytesMax: Int

    package init(nestingMax: Int = 32, unitsMax: Int = 1_000_000, indexBytesMax: Int = 192 << 20) {
        self.nestingMax = nestingMax
        self.unitsMax = unitsMax
        self.indexBytesMax = indexBytesMax
    }

    /// What a receiver uses unless told otherwise.
    package static let standard = WireLimits()
}

/// Why a body is not an export request.
///
/// There are two cases because receivers give two answers: 400 and 413.
package enum WireError: Error, Equatable, Sendable {
    /// The bytes cannot be read from `offset` on.
    case malformed(offset: Int, reason: String)
    /// Readable, but over one of `WireLimits`.
    case overLimit(String)
}

extension WireError: CustomStringConvertible {
    /// For answers and logs.
    package var description: String {
        switch self {
        case .malformed(let offset, let reason): "byte \(offset): \(reason)"
        case .overLimit(let reason): reason
        }
    }
}
