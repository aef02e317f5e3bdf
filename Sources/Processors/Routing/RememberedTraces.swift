import Basics
import OTLP
import Synchronization

/// Which route each trace got, for as long as it is remembered.
///
/// Two generations: a trace is found in both, and moves to the younger one when it is seen again; the elder one is forgotten
/// whole. So a trace is remembered for at least the time asked for after it was last seen, unless so many others come that
/// the bound is reached. Divided by trace id, so that event loops rarely wait for each other.
final class RememberedTraces: Sendable {
    struct Key: Hashable, Sendable {
        let trace: TraceID
        /// A hash, seeded anew in each process, of the name that authentication gave; 0 without one.
        let identity: UInt64
    }

    private struct Shard: Sendable {
        var young: [Key: UInt32] = [:]
        var old: [Key: UInt32] = [:]
        var since = UnixTime(nanoseconds: 0)

        mutating func age(at now: UnixTime, _ remember: Duration, countMax: Int) {
            guard young.count >= countMax || now.since(since) >= remember else { return }
            swap(&young, &old)
            young.removeAll(keepingCapacity: false)
            since = now
        }
    }

    private final class Slot: Sendable {
        let shard: Mutex<Shard>

        init(_ shard: Shard = Shard()) {
            self.shard = Mutex(shard)
        }
    }

    /// With a million traces a shard's generations fill the rooms that dictionaries take to three quarters or less.
    private static let shardCount = 22
    private let slots: [Slot]
    private let remember: Duration
    private let countMax: Int

    /// - Parameters:
    ///   - remember: How long at least.
    ///   - tracesMax: Traces at most.
    init(remember: Duration, tracesMax: Int) {
        slots = (0..<Self.shardCount).map { _ in Slot() }
        self.remember = remember
        countMax = max(1, tracesMax / Self.shardCount / 2)
    }

    /// Goes on with what another one remembers, for another time.
    init(continuing earlier: RememberedTraces, remember: Duration) {
        slots = earlier.slots.map { Slot($0.shard.withLock { $0 }) }
        self.remember = remember
        countMax = earlier.countMax
    }

    /// The number of a trace's route; nil for one that is not remembered.
    func route(of key: Key, at now: UnixTime) -> UInt32? {
        slot(key).shard.withLock { shard in
            shard.age(at: now, remember, countMax: countMax)
            if let route = shard.young[key] { return route }
            guard let route = shard.old[key] else { return nil }
            shard.young[key] = route
            return route
        }
    }

    /// Remembers a trace's route: of two requests at once the first decides.
    ///
    /// - Parameters:
    ///   - route: The number of the route.
    ///   - key: The trace.
    ///   - forgotten: A number that stands for nothing any more, where that is what is remembered.
    ///   - now: The time.
    /// - Returns: The number that counts.
    func note(_ route: UInt32, of key: Key, insteadOf forgotten: UInt32? = nil, at now: UnixTime) -> UInt32 {
        slot(key).shard.withLock { shard in
            shard.age(at: now, remember, countMax: countMax)
            if let known = shard.young[key] ?? shard.old[key], known != forgotten { return known }
            shard.young[key] = route
            return route
        }
    }

    /// The route of a trace, without keeping it any longer for that.
    func peek(_ key: Key) -> UInt32? {
        slot(key).shard.withLock { $0.young[key] ?? $0.old[key] }
    }

    private func slot(_ key: Key) -> Slot { slots[Int(key.trace.low % UInt64(Self.shardCount))] }
}
