/// A segment as the readers of its log see it.
struct SegmentState: Sendable {
    let path: String
    let header: SegmentHeader
    /// On the disk, preallocated space included.
    var bytes: Int
    /// Records before this offset can be read.
    var endOffset: Int
    /// The id after the last readable one; where the segment is sealed, the first id of the next segment.
    var endID: UInt64
    /// Whether nothing will be added.
    var sealed: Bool
    /// When its newest record was received.
    var lastReceivedAt: UInt64
    var marks = RecordMarks()

    var number: UInt64 { header.number }
    var firstID: UInt64 { header.firstID }

    /// When `id` was received, to about a second.
    func time(of id: UInt64) -> UInt64 { marks.last(upTo: id)?.time ?? header.firstReceivedAt }
}

/// How far a segment goes.
struct SegmentExtent: Sendable {
    var endOffset: Int
    var endID: UInt64
    var lastReceivedAt: UInt64
}
