import Basics

/// What one route holds in a log: the bytes that each destination has not settled yet.
struct RouteUsage: Sendable {
    /// At some time so many bytes had been accepted; all of them before it.
    private struct Mark {
        let time: UnixTime
        let accepted: Int
    }

    private static let marksMax = 32
    private static let spacingMin: UInt64 = 1_000_000_000

    /// By destination, in the order of the log's readers.
    private(set) var unsettled: [Int]
    /// Those of them that lie in a destination's parked log.
    private var parked: [Int]
    /// When it was accepted last.
    private(set) var lastSeen = UnixTime(nanoseconds: 0)
    /// When a destination settled some of it last, by the monotonic clock; nil before.
    private(set) var freedAt: Duration?
    private var accepted = 0
    private var marks: [Mark] = []

    init(destinations: Int) {
        unsettled = Array(repeating: 0, count: destinations)
        parked = unsettled
    }

    /// The bytes that the slowest destination has not settled.
    var held: Int { unsettled.max() ?? 0 }

    /// Adds a record for the destinations at `pending`.
    mutating func accept(_ bytes: Int, at time: UnixTime, pending: some Sequence<Int>) {
        lastSeen = max(lastSeen, time)
        mark()
        accepted += bytes
        for destination in pending { unsettled[destination] += bytes }
    }

    /// A destination is done with a record.
    ///
    /// - Returns: The bytes of it that were not counted here.
    mutating func settle(_ bytes: Int, by settlement: ShareTable.Settlement) -> Int {
        let destination = settlement.destination
        let taken = min(bytes, unsettled[destination])
        unsettled[destination] -= taken
        if settlement.wasParked { parked[destination] -= min(taken, parked[destination]) }
        freedAt = settlement.time ?? freedAt
        startOverIfIdle()
        return bytes - taken
    }

    /// A destination has nothing left that was accepted before `time`, whether it settled it or not.
    mutating func forget(before time: UnixTime, by destination: Int) {
        let gone = marks.last { $0.time <= time }?.accepted ?? 0
        unsettled[destination] = min(unsettled[destination], accepted - gone + parked[destination])
        startOverIfIdle()
    }

    /// A destination has put a record into its parked log.
    mutating func park(_ bytes: Int, by destination: Int) {
        parked[destination] = min(unsettled[destination], parked[destination] + bytes)
    }

    /// The parked log of a destination is empty.
    mutating func forgetParked(by destination: Int) {
        unsettled[destination] -= parked[destination]
        parked[destination] = 0
        startOverIfIdle()
    }

    private mutating func mark() {
        // What lies before such a mark was settled or forgotten long ago.
        marks.removeSubrange(..<(marks.firstIndex { accepted - $0.accepted < held } ?? marks.endIndex))
        if let first = marks.first, let last = marks.last {
            let age = lastSeen.nanoseconds - first.time.nanoseconds
            let spacing = max(Self.spacingMin, age / UInt64(Self.marksMax))
            if lastSeen.nanoseconds < last.time.nanoseconds + spacing { return }
        }
        marks.append(Mark(time: lastSeen, accepted: accepted))
        guard marks.count > Self.marksMax else { return }
        marks = stride(from: 0, to: marks.count, by: 2).map { marks[$0] }
    }

    private mutating func startOverIfIdle() {
        guard held == 0 else { return }
        accepted = 0
        marks = []
    }
}
