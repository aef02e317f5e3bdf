import Testing

@testable import Exporters

@Suite struct TokenCacheTests {
    private let cache = SharedCache()

    private func receive(_ text: String, lifetime: Int?, at moment: Int = 0) -> TokenCache.Token {
        cache.received(text, lifetime: lifetime.map { .seconds($0) }, askedAt: .seconds(moment))
    }

    @Test func `the first request asks, the others wait, and all use what comes`() {
        #expect(cache.step(now: .zero) == .fetch)
        #expect(cache.step(now: .zero) == .wait)
        let token = receive("a", lifetime: 600)
        #expect(cache.step(now: .seconds(1)) == .use(token))
        #expect(cache.step(now: .seconds(539)) == .use(token))
    }

    @Test func `near its end one request asks for another, and the rest go on with the old one`() {
        _ = cache.step(now: .zero)
        let old = receive("a", lifetime: 600)
        #expect(cache.step(now: .seconds(540)) == .fetch)
        #expect(cache.step(now: .seconds(541)) == .use(old))
        let new = receive("b", lifetime: 600, at: 540)
        #expect(cache.step(now: .seconds(600)) == .use(new))
        #expect(old.number != new.number)
    }

    @Test func `where another cannot be had, the old one is used to its end and no longer`() {
        _ = cache.step(now: .zero)
        let old = receive("a", lifetime: 600)
        #expect(cache.step(now: .seconds(540)) == .fetch)
        cache.failed("away", pause: .seconds(30), now: .seconds(541))
        #expect(cache.step(now: .seconds(542)) == .use(old))
        #expect(cache.step(now: .seconds(571)) == .fetch)
        cache.failed("away", pause: .seconds(40), now: .seconds(571))
        #expect(cache.step(now: .seconds(599)) == .use(old))
        #expect(cache.step(now: .seconds(600)) == .fail(reason: "away", after: .seconds(11)))
        #expect(cache.step(now: .seconds(611)) == .fetch)
    }

    @Test func `after a failure nobody asks before its pause is over`() {
        #expect(cache.step(now: .zero) == .fetch)
        cache.failed("refused", pause: .seconds(30), now: .seconds(2))
        #expect(cache.step(now: .seconds(3)) == .fail(reason: "refused", after: .seconds(29)))
        #expect(cache.step(now: .seconds(32)) == .fetch)
    }

    @Test func `whoever gives up asking leaves it to the next`() {
        #expect(cache.step(now: .zero) == .fetch)
        cache.gaveUp()
        #expect(cache.step(now: .zero) == .fetch)
    }

    @Test(arguments: [
        (nil, 3540, 3600), (0, 0, 1), (-5, 0, 1), (8, 6, 8), (120, 90, 120), (3600, 3540, 3600),
        (1_000_000_000, 86_340, 86_400),
    ])
    func `a life without an end, of nothing or of years is kept within limits`(
        lifetime: Int?,
        refresh: Int,
        end: Int
    ) {
        _ = cache.step(now: .zero)
        let token = receive("a", lifetime: lifetime)
        #expect(cache.step(now: .seconds(refresh) - .milliseconds(251)) == .use(token) || refresh == 0)
        #expect(cache.step(now: .seconds(refresh == 0 ? end : refresh)) == .fetch)
        #expect(cache.step(now: .seconds(end) - .milliseconds(1)) == .use(token))
        #expect(cache.step(now: .seconds(end)) == .wait)
    }

    @Test func `a refused token is discarded once for all who used it`() {
        _ = cache.step(now: .zero)
        let old = receive("a", lifetime: 600)
        #expect(cache.discard(old, now: .seconds(5)))
        #expect(cache.discard(old, now: .seconds(5)))
        #expect(cache.step(now: .seconds(5)) == .fetch)
        #expect(cache.step(now: .seconds(5)) == .wait)
        let new = receive("b", lifetime: 600, at: 5)
        #expect(cache.discard(old, now: .seconds(6)))
        #expect(cache.step(now: .seconds(6)) == .use(new))
    }

    @Test func `a destination that refuses every token does not make it ask for each request`() {
        _ = cache.step(now: .zero)
        #expect(cache.discard(receive("a", lifetime: 600), now: .seconds(1)))
        _ = cache.step(now: .seconds(1))
        let second = receive("b", lifetime: 600, at: 1)
        #expect(!cache.discard(second, now: .seconds(2)))
        #expect(cache.step(now: .seconds(2)) == .use(second))
        #expect(cache.discard(second, now: .seconds(11)))
    }
}

/// A cache that expectations may change.
private final class SharedCache {
    private var cache = TokenCache()

    func step(now: Duration) -> TokenCache.Step { cache.step(now: now) }

    func received(_ text: String, lifetime: Duration?, askedAt moment: Duration) -> TokenCache.Token {
        cache.received(text, lifetime: lifetime, askedAt: moment)
    }

    func failed(_ reason: String, pause: Duration, now: Duration) { cache.failed(reason, pause: pause, now: now) }

    func gaveUp() { cache.gaveUp() }

    func discard(_ token: TokenCache.Token, now: Duration) -> Bool { cache.discard(token, now: now) }
}
