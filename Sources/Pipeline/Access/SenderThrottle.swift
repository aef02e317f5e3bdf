import Basics

/// Lets what clients do wrong be said once a minute for each of them.
///
/// What is remembered of them is bounded by forgetting all of it after ten thousand questions.
package struct SenderThrottle: Sendable {
    private static let questionsMax = 10_000

    private var throttle = LogThrottle<Sender>(linesMax: 1, in: .seconds(60))
    private var questions = 0

    package init() {}

    /// - Returns: How many lines about that client were held back since the last one; nil where this one is, too.
    package mutating func admit(_ sender: Sender, now: Duration) -> Int? {
        questions += 1
        if questions > Self.questionsMax { self = SenderThrottle() }
        return throttle.admit(sender, now: now)
    }
}
