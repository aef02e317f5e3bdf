import Basics
package import OTLP

/// What a window tells traces apart by.
package struct TraceKey: Sendable {
    /// The name of the sender, where it is bound to experiments, so that nobody adds to another's trace; nil for all others.
    package let identity: String?
    package let trace: TraceID

    package init(_ trace: TraceID, identity: String? = nil) {
        self.trace = trace
        self.identity = identity
    }
}

/// Names are compared byte for byte.
extension TraceKey: Hashable {
    package static func == (lhs: TraceKey, rhs: TraceKey) -> Bool {
        lhs.trace == rhs.trace && lhs.identity.map(ExactText.init) == rhs.identity.map(ExactText.init)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(trace)
        hasher.combine(identity.map(ExactText.init))
    }
}
