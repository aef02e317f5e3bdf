import Basics
import Synchronization

/// Gets the access tokens of one exporter: one request for all who wait for a token.
final class TokenSource: Sendable {
    private struct State {
        var cache = TokenCache()
        /// Under way while the cache says so.
        var flight: Task<TokenCache.Token?, Never>?
    }

    private enum Source {
        case token(TokenCache.Token)
        case flight(Task<TokenCache.Token?, Never>)
        case failure(HTTPFailure)
    }

    private let settings: CurrentSecrets<OAuth2Settings>
    private let client: any HTTPClient
    private let clock: MonotonicClock
    private let wallClock: WallClock
    private let state = Mutex(State())

    /// - Parameters:
    ///   - settings: Whom to ask, as whom.
    ///   - client: Sends the requests.
    ///   - files: Reads files.
    ///   - clock: For the life of tokens.
    ///   - wallClock: For dates in `Retry-After`.
    init(
        _ settings: OAuth2Settings,
        client: any HTTPClient,
        files: SerialThread,
        clock: MonotonicClock = .system,
        wallClock: WallClock = .system
    ) {
        self.settings = CurrentSecrets(settings, files: files)
        self.client = client
        self.clock = clock
        self.wallClock = wallClock
    }

    /// A token that is valid as far as is known; suspends while one is asked for.
    ///
    /// - Throws: `noCredentials` where there is none, `cancelled`.
    func token() async throws(HTTPFailure) -> TokenCache.Token {
        // A flight may fail and leave a token that is still valid, or end with whoever else waited for it.
        for _ in 0..<3 {
            switch source() {
            case .token(let token): return token
            case .failure(let failure): throw failure
            case .flight(let flight):
                let token = await withTaskCancellationHandler {
                    await flight.value
                } onCancel: {
                    flight.cancel()
                }
                if let token { return token }
                if Task.isCancelled { throw .cancelled }
            }
        }
        throw failure("the request was given up", after: nil)
    }

    /// A destination refuses a token; whether a request may go out once more, with another one.
    func discard(_ token: TokenCache.Token) -> Bool {
        let now = clock.now()
        return state.withLock { $0.cache.discard(token, now: now) }
    }

    private func source() -> Source {
        let now = clock.now()
        return state.withLock { state in
            switch state.cache.step(now: now) {
            case .use(let token): return .token(token)
            case .fail(let reason, let after): return .failure(failure(reason, after: after))
            case .wait, .fetch:
                let flight = state.flight ?? Task { await self.fetch() }
                state.flight = flight
                return .flight(flight)
            }
        }
    }

    private func failure(_ reason: String, after: Duration?) -> HTTPFailure {
        .noCredentials("no token from \(settings.current.holder.tokenEndpoint): \(reason)", after: after)
    }

    private func fetch() async -> TokenCache.Token? {
        let start = clock.now()
        let answer = await ask()
        let end = clock.now()
        return state.withLock { state in
            state.flight = nil
            switch answer {
            case .token(let text, let lifetime):
                return state.cache.received(text, lifetime: lifetime, askedAt: start)
            case .failure(let reason, let pause): state.cache.failed(reason, pause: pause, now: end)
            case nil: state.cache.gaveUp()
            }
            return nil
        }
    }

    /// Asks for a token, and once more where the client is refused and its secret is another one now; nil where it was
    /// given up.
    private func ask() async -> TokenAnswer? {
        do throws(HTTPFailure) {
            let first = settings.current
            let answer = try await client.send(first.holder.request)
            guard [400, 401, 403].contains(answer.status), await settings.renew(after: first) else {
                return TokenAnswer(answer.hiding(HiddenTexts(first.holder.hidden)), now: wallClock.now())
            }
            let second = settings.current.holder
            return TokenAnswer(
                try await client.send(second.request).hiding(HiddenTexts(second.hidden)),
                now: wallClock.now()
            )
        } catch {
            return TokenAnswer(error)
        }
    }
}
