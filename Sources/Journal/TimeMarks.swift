/// When ids were received, to about a second, in bounded memory.
struct TimeMarks: Sendable {
    private static let countMax = 512

    private var marks: [TimeMark] = []
    private var spacing: UInt64 = 1_000_000_000

    /// Remembers a mark; those that go back or lie close to the last are left out.
    mutating func note(_ mark: TimeMark) {
        if let last = marks.last, mark.id <= last.id || mark.time < last.time &+ spacing { return }
        marks.append(mark)
        guard marks.count > Self.countMax else { return }
        // Every second mark goes, and from now on they lie twice as far apart.
        marks = stride(from: 0, to: marks.count, by: 2).map { marks[$0] }
        spacing = spacing &* 2
    }

    /// The time of the last mark at or before `id`.
    func time(of id: UInt64) -> UInt64? {
        marks.last { $0.id <= id }?.time
    }
}
