import Basics

/// What one route holds in a log: the bytes that each destination has not settled yet.
struct RouteUsage: Sendable {
    /// By destination, in the order of the log's readers; without what lies in its parked log.
    private(set) var unsettled: [Int]
    /// By destination: what lies in its parked log.
    private var parked: [Int]
    /// When it was accepted last.
    private(set) var lastSeen = UnixTime(nanoseconds: 0)
    /// When a destination settled some of it last, by the monotonic clock; nil before.
    private(set) var freedAt: Duration?
    private var accepted = ByteHistory()
    /// By destination: what was moved to its parked log.
    private var moved: [ByteHistory]

    init(destinations: Int) {
        unsettled = Array(repeating: 0, count: destinations)
        parked = unsettled
        moved = Array(repeating: ByteHistory(), count: destinations)
    }

    /// The bytes that the slowest destination has not settled.
    var held: Int { unsettled.indices.lazy.map { unsettled[$0] + parked[$0] }.max() ?? 0 }

    /// Adds a record for the destinations at `pending`.
    mutating func accept(_ bytes: Int, at time: UnixTime, pending: some Sequence<Int>) {
        lastSeen = max(lastSeen, time)
        accepted.add(bytes, at: lastSeen, held: unsettled.max() ?? 0)
        for destination in pending {
            reserve(destination)
            unsettled[destination] += bytes
        }
    }

    /// Makes room for a destination that is new to the log.
    private mutating func reserve(_ destination: Int) {
        while unsettled.count <= destination {
            unsettled.append(0)
            parked.append(0)
            moved.append(ByteHistory())
        }
    }

    /// A destination is done with a record.
    ///
    /// - Returns: The bytes of it that were not counted here.
    mutating func settle(_ bytes: Int, by settlement: ShareTable.Settlement) -> Int {
        let destination = settlement.destination
        guard destination < unsettled.count else { return bytes }
        let taken = min(bytes, settlement.wasParked ? parked[destination] : unsettled[destination])
        if settlement.wasParked { parked[destination] -= taken } else { unsettled[destination] -= taken }
        freedAt = settlement.time ?? freedAt
        startOverIfIdle()
        return bytes - taken
    }

    /// A destination has put a record into its parked log at that time.
    ///
    /// - Returns: The bytes of it that were not counted here.
    mutating func park(_ bytes: Int, by destination: Int, at time: UnixTime) -> Int {
        guard destination < unsettled.count else { return bytes }
        let taken = min(bytes, unsettled[destination])
        unsettled[destination] -= taken
        moved[destination].add(taken, at: time, held: parked[destination])
        parked[destination] += taken
        return bytes - taken
    }

    /// A destination has nothing left that was accepted before `time`, nor moved before `moveTime`, whether it settled it or not.
    mutating func forget(before time: UnixTime, movedBefore moveTime: UnixTime, by destination: Int) {
        guard destination < unsettled.count else { return }
        unsettled[destination] = min(unsettled[destination], accepted.bytes(since: time))
        parked[destination] = min(parked[destination], moved[destination].bytes(since: moveTime))
        startOverIfIdle()
    }

    private mutating func startOverIfIdle() {
        guard held == 0 else { return }
        accepted = ByteHistory()
        for destination in moved.indices { moved[destination] = ByteHistory() }
    }
}

/// How many bytes came until when, to some precision: enough to tell what an age leaves of them.
struct ByteHistory: Sendable {
    /// At some time so many bytes had come; all of them before it.
    private struct Mark {
        let time: UnixTime
        let total: Int
    }

    private static let marksMax = 32
    private static let spacingMin: UInt64 = 1_000_000_000

    private var total = 0
    private var marks: [Mark] = []

    /// Adds bytes that come at a time, where so many of all before are held.
    mutating func add(_ bytes: Int, at time: UnixTime, held: Int) {
        mark(time, held)
        total += bytes
    }

    /// How many came at a time or later, at most.
    func bytes(since time: UnixTime) -> Int { total - (marks.last { $0.time <= time }?.total ?? 0) }

    private mutating func mark(_ time: UnixTime, _ held: Int) {
        // What lies before such a mark was settled or forgotten long ago.
        marks.removeSubrange(..<(marks.firstIndex { total - $0.total < held } ?? marks.endIndex))
        if let first = marks.first, let last = marks.last {
            let age = time.nanoseconds - min(time.nanoseconds, first.time.nanoseconds)
            let spacing = max(Self.spacingMin, age / UInt64(Self.marksMax))
            if time.nanoseconds < last.time.nanoseconds + spacing { return }
        }
        marks.append(Mark(time: time, total: total))
        guard marks.count > Self.marksMax else { return }
        marks = stride(from: 0, to: marks.count, by: 2).map { marks[$0] }
    }
}
