/// A record of a trace.
struct RecordLink: Sendable {
    let id: UInt64
    var next = noNumber
    /// The ids of its spans and its length, hashed; the lowest bit is `hasRoot`.
    private var bits: UInt32

    init(id: UInt64, digest: Int = 0) {
        self.id = id
        bits = UInt32(truncatingIfNeeded: digest) & ~1
    }

    /// Whether a root is among its spans.
    var hasRoot: Bool {
        get { bits & 1 == 1 }
        set { bits = digest | (newValue ? 1 : 0) }
    }

    /// The same for records that are the same, and hardly ever for others of one trace.
    var digest: UInt32 { bits & ~1 }
}

/// Records in the order in which they came.
struct RecordChain: Sendable {
    var first = noNumber
    var last = noNumber
}
