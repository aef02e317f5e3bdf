package import OTLP

/// Of which trace a record is: before a window every record holds items of one trace, of one sender.
package struct TraceMark: Hashable, Sendable {
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

extension TraceMark {
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
}
