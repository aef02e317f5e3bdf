import NIOCore

/// How much work a connection may cause besides calls: pings, settings, errors and the like.
///
/// A thousand at once, fifty a second, and ten more for each call: clients that measure the line ping once a call.
struct HTTP2Strain {
    /// What an error counts.
    static let error = 50
    /// What a call counts that is over what the client was told.
    static let excess = 20
    private static let most = 1000
    private static let eachCall = 10
    private static let eachSecond = 50

    private var left = most
    private var lookedAt = NIODeadline.now()

    /// A call has begun.
    mutating func relieve() {
        left = min(Self.most, left + Self.eachCall)
    }

    /// Whether so much more may be.
    mutating func bears(_ amount: Int, at now: NIODeadline) -> Bool {
        let seconds = (now - lookedAt).nanoseconds / 1_000_000_000
        if seconds > 0 {
            left = min(Self.most, left + Int(min(seconds, 60)) * Self.eachSecond)
            lookedAt = now
        }
        left -= amount
        return left >= 0
    }
}
