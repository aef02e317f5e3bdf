/// How many requests a destination gets at once: one more after each round of successes, half after each overload.
///
/// Begins with one, so that a destination that comes back is not knocked over by what has queued up.
package struct ConcurrencyLimit: Sendable {
    private var maximum: Int
    /// At least 1.
    package private(set) var current = 1
    private var successes = 0

    /// A limit that never goes over `maximum`, which is at least 1.
    package init(maximum: Int) {
        self.maximum = max(1, maximum)
    }

    /// Another limit from now on.
    package mutating func change(maximum: Int) {
        self.maximum = max(1, maximum)
        current = min(current, self.maximum)
    }

    /// The destination took a request.
    package mutating func succeeded() {
        successes += 1
        guard successes >= current, current < maximum else { return }
        current += 1
        successes = 0
    }

    /// The destination was too slow, or said that it is busy.
    package mutating func overloaded() {
        current = max(1, current / 2)
        successes = 0
    }

    /// The destination was away.
    package mutating func startOver() {
        current = 1
        successes = 0
    }
}
