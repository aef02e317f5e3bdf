/// What a sampler decided about a trace, so that its late spans get the same.
package struct TraceVerdict: Hashable, Sendable {
    /// The policy that decided; empty where none asked for the trace.
    package let policy: String
    package let isKept: Bool
    /// With which threshold its spans were kept, in 2⁵⁶ths; nil for as they came.
    package let threshold: UInt64?

    package init(policy: String, isKept: Bool, threshold: UInt64? = nil) {
        (self.policy, self.isKept, self.threshold) = (policy, isKept, threshold)
    }
}

/// What is known of a trace that was decided: where it went, and what a sampler decided about it.
package struct DecidedOutcome: Hashable, Sendable {
    /// Nil where that is not known any more.
    package var route: Route?
    /// Nil where none was asked, or that is not known any more.
    package var verdict: TraceVerdict?

    package init(route: Route? = nil, verdict: TraceVerdict? = nil) {
        (self.route, self.verdict) = (route, verdict)
    }
}

extension TraceVerdict {
    /// 0 dropped, 1 kept, 2 kept with the threshold behind it, in LEB128; then the policy.
    func append(to bytes: inout [UInt8]) {
        bytes.append(isKept ? (threshold == nil ? 1 : 2) : 0)
        if isKept, let threshold { bytes.append(leb128: threshold) }
        bytes += policy.utf8
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        guard let kind = bytes.popFirst(), kind <= 2 else { return nil }
        var threshold: UInt64?
        if kind == 2 {
            guard let value = bytes.popLEB128() else { return nil }
            threshold = value
        }
        self.init(policy: String(decoding: bytes, as: UTF8.self), isKept: kind > 0, threshold: threshold)
        bytes = []
    }
}
