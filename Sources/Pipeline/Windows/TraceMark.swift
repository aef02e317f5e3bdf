import Basics
package import OTLP

/// Of which trace a record is: before a window every record holds items of one trace, of one sender.
package struct TraceMark: Hashable, Sendable {
    /// Zero for spans of several traces, where dividing them would have repeated too much.
    package let trace: TraceID
    /// Whether the sender is bound to experiments, so that nobody else adds to its traces.
    package let isBound: Bool
    /// The service that sent it, whose share of the journal it takes; empty where it has a route or names no service.
    package let service: String

    package init(trace: TraceID, isBound: Bool = false, service: String = "") {
        self.trace = trace
        self.isBound = isBound
        self.service = service
    }
}

extension TraceID {
    /// No trace has it.
    static let zero = TraceID(high: 0, low: 0)
}

extension TraceMark {
    /// Whether it is the mark of one trace.
    var isOfOneTrace: Bool { trace != .zero }

    /// The id, the highest byte first; 1 where the sender is bound; the service.
    func append(to bytes: inout [UInt8]) {
        for word in [trace.high, trace.low] {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        bytes.append(isBound ? 1 : 0)
        bytes.append(text: service)
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        guard bytes.count > 17 else { return nil }
        let words = [0, 8].map { start in
            bytes.dropFirst(start).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        }
        bytes = bytes.dropFirst(16)
        guard let bound = bytes.popFirst(), let service = bytes.popText() else { return nil }
        self.init(trace: TraceID(high: words[0], low: words[1]), isBound: bound == 1, service: service)
    }

    /// Bytes of the id, which stands first.
    static let idBytes = 16

    /// Bytes that `append` takes.
    var byteCount: Int { Self.idBytes + 1 + varintSize(service.utf8.count) + service.utf8.count }

    /// Whether nothing but the trace differs.
    func isLike(_ other: TraceMark) -> Bool {
        isBound == other.isBound && ExactText(service) == ExactText(other.service)
    }

    /// The same of another trace, whose id stands in `text`.
    func with(idAt start: Int, in text: RawSpan) -> TraceMark {
        let trace = TraceID(high: text.word(at: start).byteSwapped, low: text.word(at: start + 8).byteSwapped)
        return TraceMark(trace: trace, isBound: isBound, service: service)
    }

    /// Writes the id over that of another trace.
    func write(idTo bytes: inout [UInt8], at start: Int) {
        for (word, value) in [trace.high, trace.low].enumerated() {
            for byte in 0..<8 {
                bytes[start + 8 * word + byte] = UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * byte))
            }
        }
    }
}
