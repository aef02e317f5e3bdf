/// Tells that work has ended, from the processor time at regular looks.
package struct RestDetector: Sendable {
    /// Processor time between two looks from which on there was work.
    private let work: Duration
    private var latest: Duration
    private var hasWorked = false

    package init(work: Duration, since cpuTime: Duration) {
        self.work = work
        latest = cpuTime
    }

    /// Whether this look is the first after work at which there was none.
    package mutating func isAtRest(_ cpuTime: Duration) -> Bool {
        defer { latest = cpuTime }
        let works = cpuTime - latest >= work
        defer { hasWorked = works }
        return hasWorked && !works
    }
}
