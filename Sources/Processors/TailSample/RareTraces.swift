import Basics
import Pipeline
import Synchronization

/// How many traces of each kind came in the window under way; of more than 10,000 kinds those are forgotten that came least lately.
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

    /// By kind, in two generations.
    ///
    /// Where the younger one is full, the elder one is forgotten.
    private struct State {
        var begin: Int64?
        var young: [Int: Int] = [:]
        var old: [Int: Int] = [:]
    }

    private static let sortsMax = 10_000

    private let settings: RareSettings
    private let state = Mutex(State())

    init(_ settings: RareSettings) { self.settings = settings }

    /// Counts a trace, and says whether it is among the first of its kind; `moment` is now by a clock that only goes forward.
    func takes(_ sort: Sort, at moment: Duration) -> Bool {
        let (now, window) = (moment.wholeNanoseconds, settings.window.wholeNanoseconds)
        // Another in each process, so that nobody makes two kinds look alike.
        let hash = sort.hashValue
        return state.withLock { state in
            if state.begin.map({ now - $0 >= window }) ?? true { state = State(begin: now) }
            if state.young.count >= Self.sortsMax / 2, state.young[hash] == nil {
                (state.old, state.young) = (state.young, [:])
            }
            let count = state.young[hash] ?? state.old[hash] ?? 0
            state.young[hash] = min(count + 1, settings.first)
            return count < settings.first
        }
    }
}
