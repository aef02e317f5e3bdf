/// The access token of one exporter: which one requests carry, and when another one is asked for.
///
/// A state machine without a clock and without I/O. Moments are those of a monotonic clock.
struct TokenCache: Sendable {
    /// How long a token is used at most, whatever its end.
    static let lifetimeMax = Duration.seconds(24 * 3600)
    /// How long one is used whose answer names no end.
    static let lifetimeUnknown = Duration.seconds(3600)
    /// How long one is used at least: a server that names an end in the past is not asked for every request.
    static let lifetimeMin = Duration.seconds(1)
    /// How long before its end another one is asked for; of a short life it is a quarter.
    static let margin = Duration.seconds(60)
    /// How often a token is given up that a destination refuses: it may refuse every token.
    static let discardPause = Duration.seconds(10)

    /// An access token.
    struct Token: Sendable, Equatable {
        /// Counts the tokens from 1.
        let number: Int
        let text: String
        fileprivate let refresh: Duration
        fileprivate let end: Duration
    }

    /// What a request has to do.
    enum Step: Equatable {
        case use(Token)
        /// Ask for a token; `received`, `failed` or `gaveUp` has to follow.
        case fetch
        /// Wait for the one that is being asked for.
        case wait
        /// There is none, and nobody is asked again before `after`.
        case fail(reason: String, after: Duration)
    }

    private var token: Token?
    private var count = 0
    private var isFetching = false
    private var failure: (reason: String, until: Duration)?
    private var lastDiscard: Duration?

    /// What a request does now; the first that finds the token near its end asks for another one, and the rest go on with it.
    mutating func step(now: Duration) -> Step {
        let pause = failure.map { $0.until - now } ?? .zero
        if let token, now < token.end, now < token.refresh || isFetching || pause > .zero { return .use(token) }
        if isFetching { return .wait }
        if let failure, pause > .zero { return .fail(reason: failure.reason, after: pause) }
        isFetching = true
        return .fetch
    }

    /// The token that was asked for at that moment is there.
    mutating func received(_ text: String, lifetime: Duration?, askedAt moment: Duration) -> Token {
        let lifetime = min(max(lifetime ?? Self.lifetimeUnknown, Self.lifetimeMin), Self.lifetimeMax)
        count += 1
        let end = moment + lifetime
        let token = Token(number: count, text: text, refresh: end - min(Self.margin, lifetime / 4), end: end)
        self.token = token
        isFetching = false
        failure = nil
        return token
    }

    /// There is no token, and none is asked for within `pause`.
    mutating func failed(_ reason: String, pause: Duration, now: Duration) {
        isFetching = false
        failure = (reason, now + pause)
    }

    /// Who asked for a token has gone.
    mutating func gaveUp() {
        isFetching = false
    }

    /// A destination refuses a token; whether the request may go out once more, with another one.
    mutating func discard(_ refused: Token, now: Duration) -> Bool {
        // Others have discarded it meanwhile.
        guard token?.number == refused.number else { return true }
        if let lastDiscard, now - lastDiscard < Self.discardPause { return false }
        lastDiscard = now
        token = nil
        return true
    }
}
