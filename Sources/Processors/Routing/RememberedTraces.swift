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
        let identity: UInt16
    }

    private struct Shard: Sendable {
        var young: [Key: UInt16] = [:]
        var old: [Key: UInt16] = [:]
        var since = UnixTime(nanoseconds: 0)

        mutating func age(at now: UnixTime, _ remember: Duration, countMax: Int) {
            guard young.count >= countMax || now.since(since) >= remember else { return }
            swap(&young, &old)
            young.removeAll(keepingCapacity: false)
            since = now
        }
    }

    private final class Slot: Sendable {
        let shard = Mutex(Shard())
    }

    private static let shardCount = 16
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

    /// The route of a trace; nil for one that is not remembered.
    func route(of key: Key, at now: UnixTime) -> UInt16? {
        slot(key).shard.withLock { shard in
            shard.age(at: now, remember, countMax: countMax)
            if let route = shard.young[key] { return route }
            guard let route = shard.old[key] else { return nil }
            shard.young[key] = route
            return route
        }
    }

    /// Remembers a trace's route and returns the one that counts: of two requests at once the first decides.
    func note(_ route: UInt16, of key: Key, at now: UnixTime) -> UInt16 {
        slot(key).shard.withLock { shard in
            shard.age(at: now, remember, countMax: countMax)
            if let known = shard.young[key] ?? shard.old[key] { return known }
            shard.young[key] = route
            return route
        }
    }

    /// The route of a trace, without keeping it any longer for that.
    func peek(_ key: Key) -> UInt16? {
        slot(key).shard.withLock { $0.young[key] ?? $0.old[key] }
    }

    private func slot(_ key: Key) -> Slot { slots[Int(truncatingIfNeeded: key.trace.low) & (Self.shardCount - 1)] }
}

/// Small numbers for values that come again and again.
struct Numbering<Value: Hashable & Sendable>: Sendable {
    private var numbers: [Value: UInt16] = [:]
    private(set) var values: [Value] = []
    private let countMax: Int

    init(countMax: Int) {
        self.countMax = min(countMax, Int(UInt16.max))
    }

    /// The number of a value; nil for a new one where there is no room.
    mutating func number(of value: Value) -> UInt16? {
        if let number = numbers[value] { return number }
        guard values.count < countMax else { return nil }
        let number = UInt16(truncatingIfNeeded: values.count)
        numbers[value] = number
        values.append(value)
        return number
    }
}
