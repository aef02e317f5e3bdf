import Basics
import Pipeline

/// Slows down sources that try secrets, without holding anything up: the rule, without threads and clocks.
///
/// A source may try ten secrets that are not right, and one more every three seconds. Over that, it is told nothing of what it
/// shows; right secrets are exempt where they are too long to be guessed, which the caller sees to, and shorter ones where they
/// have proved right from there within the last hour. A secret that was tried before, or was right before the members changed,
/// is refused and is no further try: it stands in some client's settings.
struct GuessLimit: Sendable {
    /// What becomes of a request.
    enum Verdict: Equatable {
        case accepted
        case wrong
        /// It is not told whether the secret is right; it may be tried again.
        case tooMany
    }

    private struct Source: Sendable {
        var tries = GuessLimit.burst
        var since: UnixTime
        var wrong: [HMAC.Digest] = []

        mutating func refill(at now: UnixTime) {
            let passed = now.since(since)
            guard passed >= GuessLimit.interval || passed < .zero else { return }
            tries = min(GuessLimit.burst, tries + max(0, Int(passed / GuessLimit.interval)))
            since = now
        }
    }

    private struct Proof: Hashable, Sendable {
        let source: SourceAddress
        let digest: HMAC.Digest
    }

    /// Wrong secrets that a source may try at once.
    static let burst = 10
    /// Until a source may try another one.
    static let interval = Duration.seconds(3)
    /// Wrong secrets that are remembered of a source, the latest.
    private static let wrongMax = 32
    private static let sourcesMax = 4096
    private static let proofsMax = 16_384

    private var sources = IdleTable<SourceAddress, Source>(countMax: sourcesMax, idleTime: .seconds(600))
    /// For all that find no room among the sources.
    private var others = Source(since: UnixTime(nanoseconds: 0))
    private var proofs = IdleTable<Proof, Bool>(countMax: proofsMax, idleTime: .seconds(3600))

    /// Decides about a secret by its code.
    ///
    /// - Parameters:
    ///   - digest: The secret's code.
    ///   - isRight: Whether it is a member's, and short enough to be guessed.
    ///   - wasRight: Whether it was one before the members changed.
    ///   - address: Where it came from.
    ///   - now: The time.
    /// - Returns: What becomes of the request that shows it.
    mutating func judge(
        _ digest: HMAC.Digest,
        isRight: Bool,
        wasRight: Bool,
        from address: SourceAddress,
        at now: UnixTime
    ) -> Verdict {
        let proof = Proof(source: address, digest: digest)
        if isRight, proofs.use(proof, at: now) != nil { return .accepted }
        let isTracked = isTracked(address, at: now)
        var source = (isTracked ? sources.use(address, at: now) : others) ?? Source(since: now)
        source.refill(at: now)
        defer { if isTracked { sources.insert(source, for: address, at: now) } else { others = source } }
        if !isRight, source.wrong.contains(digest) { return .wrong }
        guard source.tries > 0 else { return .tooMany }
        if !isRight, wasRight { return .wrong }
        guard isRight else {
            source.tries -= 1
            source.wrong.append(digest)
            if source.wrong.count > Self.wrongMax { source.wrong.removeFirst() }
            return .wrong
        }
        _ = proofs.makeRoom(at: now)
        if !proofs.isFull { proofs.insert(true, for: proof, at: now) }
        return .accepted
    }

    private mutating func isTracked(_ address: SourceAddress, at now: UnixTime) -> Bool {
        if sources.use(address, at: now) != nil { return true }
        _ = sources.makeRoom(at: now)
        return !sources.isFull
    }
}
