import Basics
import Synchronization

/// Traces a second as a threshold that follows how many came before.
///
/// A trace's threshold depends on the traces before it alone, so that what its share stands for is known. It is chosen by the mean of
/// the past seconds, weighted to the latest, and by what came in this second so far: a burst is over the rate for some seconds.
/// Any thread.
final class SamplingRate: Sendable {
    private struct State {
        /// When the second under way began, in nanoseconds.
        var begin: Int64?
        /// Traces in it, as many as they stand for.
        var count = 0.0
        /// The mean of those before; nil before the first is over.
        var mean: Double?
    }

    /// How much the latest second counts.
    private static let weight = 0.3
    /// What one trace stands for, at most: a client may write any threshold.
    private static let weightMax = 1000.0
    /// How many times what came before a second counts as, at most.
    private static let growthMax = 10.0
    /// Hexadecimal digits of thresholds: few, because traces are remembered with theirs.
    private static let precision = 2

    private let perSecond: Double
    private let state = Mutex(State())

    init(perSecond: Double) { self.perSecond = perSecond }

    /// The threshold of a trace.
    ///
    /// - Parameters:
    ///   - earlier: With which it was sampled before; nil for none.
    ///   - moment: Now, by a clock that only goes forward.
    /// - Returns: Nil where nothing is kept.
    func threshold(after earlier: UInt64?, at moment: Duration) -> UInt64? {
        let stands = Double(SamplingRatio.whole) / Double(SamplingRatio.whole - (earlier ?? 0))
        let weight = min(stands, Self.weightMax)
        let count = state.withLock { state in
            advance(&state, to: moment.wholeNanoseconds)
            state.count += weight
            return max(state.mean ?? 0, state.count)
        }
        let share = min(1, perSecond / count)
        return SamplingRatio(share, .equalizing, precision: Self.precision).threshold(after: earlier)
    }

    private func advance(_ state: inout State, to now: Int64) {
        guard let begin = state.begin else {
            state.begin = now
            return
        }
        let seconds = now / 1_000_000_000 - begin / 1_000_000_000
        guard seconds > 0 else { return }
        var mean = state.count
        if let before = state.mean {
            let counted = min(state.count, max(Self.growthMax * before, perSecond))
            mean = before + Self.weight * (counted - before)
        }
        // Seconds in which none came.
        for _ in 1..<min(seconds, 60) { mean *= 1 - Self.weight }
        (state.begin, state.count, state.mean) = (now, 0, seconds >= 60 ? nil : mean)
    }
}
