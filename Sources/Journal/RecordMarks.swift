/// Where a record stands in its segment, and when it was received.
struct RecordMark: Sendable {
    var id: UInt64
    var time: UInt64
    var offset: Int
}

/// When records of one segment were received, to about a second, and where they stand; in bounded memory.
struct RecordMarks: Sendable {
    private static let countMax = 512

    private var marks: [RecordMark] = []
    private var spacing: (time: UInt64, bytes: Int) = (1_000_000_000, 64 << 10)

    /// Remembers a mark; those that go back, or lie close to the last by time and by place, are left out.
    mutating func note(_ mark: RecordMark) {
        var mark = mark
        if let last = marks.last {
            let isNear = mark.time < last.time &+ spacing.time && mark.offset < last.offset + spacing.bytes
            if mark.id <= last.id || isNear { return }
            mark.time = max(mark.time, last.time)
        }
        marks.append(mark)
        guard marks.count > Self.countMax else { return }
        // Every second mark goes, and from now on they lie twice as far apart.
        marks = stride(from: 0, to: marks.count, by: 2).map { marks[$0] }
        spacing = (spacing.time &* 2, spacing.bytes * 2)
    }

    /// The last mark at or before `id`.
    func last(upTo id: UInt64) -> RecordMark? { marks.last { $0.id <= id } }
}
