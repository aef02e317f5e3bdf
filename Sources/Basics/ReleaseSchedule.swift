/// When memory that is not in use goes back to the system, from the processor time at regular looks.
///
/// Under load it is kept, because new pages are expensive. It goes when work has ended, or has become little, and once in many
/// looks where there was any.
package struct ReleaseSchedule: Sendable {
    /// Processor time from which on it may be worth it.
    private let work: Duration
    /// Looks after which it is time.
    private let looksMax: Int
    private var latest: Duration
    /// Since memory was last given back: the looks, the most processor time between two, and all.
    private var looks = 0
    private var most = Duration.zero
    private var all = Duration.zero

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
        let hasBecomeLittle = most >= work && used <= most / 8
        guard hasBecomeLittle || looks >= looksMax && all >= work else { return false }
        (looks, most, all) = (0, .zero, .zero)
        return true
    }
}
