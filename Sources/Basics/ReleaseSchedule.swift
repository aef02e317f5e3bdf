/// When memory that is not in use goes back to the system, from the processor time at regular looks.
///
/// Under load it is kept, because new pages are expensive. It goes when work has ended, or has become little, and once in many
/// looks where there was any; and once more a few looks later, because what was in use then may be free by now without any
/// work worth mentioning.
package struct ReleaseSchedule: Sendable {
    /// Looks from one release to the second that follows it.
    private static let looksToSecond = 3

    /// Processor time from which on it may be worth it.
    private let work: Duration
    /// Looks after which it is time.
    private let looksMax: Int
    private var latest: Duration
    /// Since memory was last given back: the looks, the most processor time between two, and all.
    private var looks = 0
    private var most = Duration.zero
    private var all = Duration.zero
    /// Whether the last release came when work had become little, so that a second one is to follow.
    private var awaitsSecond = false

    package init(work: Duration, looksMax: Int, since cpuTime: Duration) {
        self.work = work
        self.looksMax = looksMax
        latest = cpuTime
    }

    /// Looks; says whether memory is to be given back now.
    package mutating func isDue(_ cpuTime: Duration) -> Bool {
        let used = cpuTime - latest
        latest = cpuTime
        looks += 1
        most = max(most, used)
        all += used
        let hasBecomeLittle = all >= work && used <= most / 8
        let isTime = looks >= looksMax && all >= work
        guard hasBecomeLittle || isTime || awaitsSecond && looks >= Self.looksToSecond else { return false }
        (looks, most, all, awaitsSecond) = (0, .zero, .zero, hasBecomeLittle)
        return true
    }
}
