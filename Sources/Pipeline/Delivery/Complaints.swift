/// Keeps a failing destination from filling the log: lets each message through at most once a minute.
struct Complaints: Sendable {
    private static let pause = Duration.seconds(60)
    private static let messagesMax = 64

    private var last: [String: (at: Duration, repeats: Int)] = [:]

    /// How often the message was held back since it was last let through; nil where it is held back now.
    mutating func admit(_ message: String, now: Duration) -> Int? {
        if let known = last[message], now < known.at + Self.pause {
            last[message]?.repeats += 1
            return nil
        }
        let repeats = last[message]?.repeats ?? 0
        if last.count >= Self.messagesMax { last = last.filter { now < $0.value.at + Self.pause } }
        if last.count >= Self.messagesMax { last = [:] }
        last[message] = (now, 0)
        return repeats
    }
}
