import Basics
package import OTLP

/// Names one span of one trace.
package struct TraceContext: Hashable, Sendable {
    package let traceID: TraceID
    package let spanID: SpanID

    package init(traceID: TraceID, spanID: SpanID) {
        self.traceID = traceID
        self.spanID = spanID
    }

    /// A new trace.
    static func random() -> TraceContext {
        TraceContext(traceID: TraceID(high: .someID(), low: .someID()), spanID: SpanID(.someID()))
    }

    /// A new span of the same trace.
    func child() -> TraceContext { TraceContext(traceID: traceID, spanID: SpanID(.someID())) }
}

extension UInt64 {
    /// Any number but 0, which would be no id.
    fileprivate static func someID() -> UInt64 { .random(in: 1...UInt64.max) }
}

/// The header `traceparent` (W3C Trace Context, section 3.2): whose work a request is part of.
package struct TraceParent: Equatable, Sendable {
    package let context: TraceContext
    /// Whether the caller records its span.
    package let isSampled: Bool

    /// The name of the header, in lower case.
    package static let headerName = "traceparent"

    package init(context: TraceContext, isSampled: Bool) {
        self.context = context
        self.isSampled = isSampled
    }

    /// Reads a header; nil for one that has to be ignored.
    ///
    /// Of a later version what is known is read, as section 3.2.4 wants.
    package init?(_ header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count >= 4, let version = UInt64(lowerHex: parts[0], digits: 2), version != 0xFF,
            version > 0 || parts.count == 4, parts[1].utf8.count == 32,
            let high = UInt64(lowerHex: parts[1].prefix(16), digits: 16),
            let low = UInt64(lowerHex: parts[1].suffix(16), digits: 16),
            let span = UInt64(lowerHex: parts[2], digits: 16), let flags = UInt64(lowerHex: parts[3], digits: 2),
            high | low != 0, span != 0
        else { return nil }
        self.init(
            context: TraceContext(traceID: TraceID(high: high, low: low), spanID: SpanID(span)),
            isSampled: flags & 1 == 1
        )
    }

    /// The header's value.
    package var text: String { "00-\(context.traceID)-\(context.spanID)-\(isSampled ? "01" : "00")" }
}

extension UInt64 {
    /// Exactly so many lower-case hexadecimal digits.
    fileprivate init?(lowerHex text: Substring, digits: Int) {
        let isHex = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        guard text.utf8.count == digits, isHex, let value = UInt64(text, radix: 16) else { return nil }
        self = value
    }
}

extension [UInt8] {
    /// 24 bytes: those of the trace id, then those of the span id.
    mutating func append(_ trace: TraceContext) {
        for word in [trace.traceID.high, trace.traceID.low, trace.spanID.value] { append(word: word.byteSwapped) }
    }
}

extension ArraySlice<UInt8> {
    /// Nil where there are no 24 bytes, or they name no span.
    mutating func popTrace() -> TraceContext? {
        guard count >= 24 else { return nil }
        var words: [UInt64] = []
        for _ in 0..<3 {
            words.append(prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
            removeFirst(8)
        }
        guard words[0] | words[1] != 0, words[2] != 0 else { return nil }
        return TraceContext(traceID: TraceID(high: words[0], low: words[1]), spanID: SpanID(words[2]))
    }
}
