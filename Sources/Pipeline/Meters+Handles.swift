import Synchronization

/// A number that only grows.
///
/// Any thread, without a lock.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    /// The sum of what was added.
    package var value: Int { count.load(ordering: .relaxed) }

    /// Adds `amount`, which is never negative.
    package func add(_ amount: Int = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }
}

/// How durations are spread over fixed buckets.
///
/// Any thread; a short lock, so for what happens per request, attempt or sync and not per span.
package final class Histogram: Sendable {
    /// The upper bounds of the buckets, included in them; one more bucket takes what is longer.
    package static let bounds: [Duration] = [
        .microseconds(250), .microseconds(500), .milliseconds(1), .microseconds(2500), .milliseconds(5),
        .milliseconds(10),
        .milliseconds(25), .milliseconds(50), .milliseconds(100), .milliseconds(250), .milliseconds(500), .seconds(1),
        .milliseconds(2500), .seconds(5), .seconds(10), .seconds(30), .seconds(60),
    ]

    private struct State {
        var counts = [UInt64](repeating: 0, count: Histogram.bounds.count + 1)
        var sum = Duration.zero
    }

    private let contents = Mutex(State())

    /// How many fell into each bucket (not cumulative), and the sum of all.
    package var state: (counts: [UInt64], sum: Duration) { contents.withLock { ($0.counts, $0.sum) } }

    /// Adds one duration.
    package func observe(_ duration: Duration) {
        let bucket = Self.bounds.firstIndex { duration <= $0 } ?? Self.bounds.count
        contents.withLock { state in
            state.counts[bucket] &+= 1
            state.sum += duration
        }
    }
}

/// What one part of the process says of a gauge that is the sum of several.
package final class GaugeShare: Sendable {
    fileprivate let read: @Sendable () -> Double

    /// - Parameter read: Called for each exposition, on its thread; must not block.
    package init(read: @escaping @Sendable () -> Double) {
        self.read = read
    }
}

extension [GaugeShare] {
    var sum: Double { reduce(0) { $0 + $1.read() } }
}
