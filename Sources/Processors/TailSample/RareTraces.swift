import Basics
import Pipeline
import Synchronization

/// How many traces of each kind came in the window under way; at most 10,000 kinds, and of others none is rare.
///
/// Any thread.
final class RareTraces: Sendable {
    /// What traces are told apart by.
    struct Sort: Hashable, Sendable {
        let route: Route
        /// The name of the root.
        let name: [UInt8]
        let models: Set<String>
        let tools: Set<String>
    }

    private struct State {
        var begin: UInt64 = 0
        var counts: [Int: Int] = [:]
    }

    private static let sortsMax = 10_000

    private let settings: RareSettings
    private let state = Mutex(State())

    init(_ settings: RareSettings) { self.settings = settings }

    /// Counts a trace, and says whether it is among the first of its kind.
    func takes(_ sort: Sort, at moment: UnixTime) -> Bool {
        let window = UInt64(clamping: settings.window.wholeNanoseconds)
        // Another in each process, so that nobody makes two kinds look alike.
        let hash = sort.hashValue
        return state.withLock { state in
            if moment.nanoseconds >= state.begin &+ window { state = State(begin: moment.nanoseconds) }
            guard let count = state.counts[hash] else {
                guard state.counts.count < Self.sortsMax else { return false }
                state.counts[hash] = 1
                return true
            }
            guard count < settings.first else { return false }
            state.counts[hash] = count + 1
            return true
        }
    }
}
