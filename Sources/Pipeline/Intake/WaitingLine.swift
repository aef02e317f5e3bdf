package import Basics
import Synchronization

/// Requests that wait for room of one kind, first come first served.
///
/// Somebody may wait only while room becomes free: where none has been for as long as he may wait, he is refused at
/// once. A newcomer goes behind those who wait, which the caller sees to by `isEmpty`. How many try again at once
/// grows with each that gets in, and starts over with one after a failure, so that room is found quickly and a full
/// store is not asked by all at once. Any thread.
package final class WaitingLine: Sendable {
    /// Names one who waits.
    package struct Place: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private struct Entry {
        let place: Place
        let bytes: Int
        let hold: Duration
        let deadline: Duration
        var isTrying = false
        let attempt: @Sendable (Place) -> Void
        let refuse: @Sendable () -> Void
    }

    private struct State {
        /// In the order of their coming.
        var entries: [Entry] = []
        var bytes = 0
        var trying = 0
        var allowance = 1
        /// Whether room became free while somebody tried.
        var hasMissedRoom = false
        var nextNumber: UInt64 = 0
        /// Whether the last attempt found no room: nobody tries before there may be some.
        var isBlocked = false
        /// Whether some thread lets them try, which sees what changes meanwhile.
        var isServed = false
        var isClosed = false
        var hasTimer = false
    }

    /// Who waits at once, at most.
    private static let countMax = 1024
    /// Between two looks for those whose time is over.
    private static let period = Duration.milliseconds(50)

    private let bytesMax: Atomic<Int>
    private let held: Counter?
    private let clock: MonotonicClock
    private let state = Mutex(State())
    private let count = Atomic<Int>(0)
    /// When room became free last, in nanoseconds of the clock; negative before.
    private let freedAt: Atomic<Int64>

    /// - Parameters:
    ///   - bytesMax: Bytes that those who wait may hold together.
    ///   - held: Counts who waits.
    ///   - freedAt: When room became free last, by `clock`, as far as that is known.
    ///   - clock: For how long they wait.
    package init(
        bytesMax: ByteCount,
        held: Counter? = nil,
        freedAt: Duration? = nil,
        clock: MonotonicClock = .system
    ) {
        self.freedAt = Atomic(freedAt?.wholeNanoseconds ?? -1)
        self.bytesMax = Atomic(bytesMax.bytes)
        self.held = held
        self.clock = clock
    }

    /// Another bound from now on; there may be room by it.
    package func change(bytesMax: ByteCount) {
        self.bytesMax.store(bytesMax.bytes, ordering: .relaxed)
        roomIsFreed()
    }

    /// Whether nobody waits.
    package var isEmpty: Bool { count.load(ordering: .relaxed) == 0 }

    /// Room has become free: who waits tries again.
    package func roomIsFreed() {
        freedAt.store(clock.now().wholeNanoseconds, ordering: .relaxed)
        guard !isEmpty else { return }
        state.withLock { state in
            state.hasMissedRoom = state.trying > 0
            state.isBlocked = false
        }
        tryNext()
    }

    /// Puts somebody at the end of the line; he tries again at once where he is the only one.
    ///
    /// - Parameters:
    ///   - bytes: What he holds meanwhile.
    ///   - hold: How long he may wait, and for how long room may not have become free.
    ///   - attempt: Tries again; what becomes of it is told by `leave` or `returns`. Called on any thread.
    ///   - refuse: The time is over. Called on any thread, and nothing after it.
    /// - Returns: Whether he may wait.
    package func enter(
        bytes: Int,
        hold: Duration,
        attempt: @escaping @Sendable (Place) -> Void,
        refuse: @escaping @Sendable () -> Void
    ) -> Bool {
        let now = clock.now()
        guard isFlowing(within: hold, at: now) else { return false }
        let needsTimer = state.withLock { state -> Bool? in
            let bytesMax = bytesMax.load(ordering: .relaxed)
            guard !state.isClosed, state.entries.count < Self.countMax, bytes <= bytesMax - state.bytes else {
                return nil
            }
            let place = Place(number: state.nextNumber)
            state.nextNumber += 1
            state.entries.append(
                Entry(place: place, bytes: bytes, hold: hold, deadline: now + hold, attempt: attempt, refuse: refuse)
            )
            state.bytes += bytes
            if state.entries.count == 1 { state.isBlocked = false }
            count.store(state.entries.count, ordering: .relaxed)
            defer { state.hasTimer = true }
            return !state.hasTimer
        }
        guard let needsTimer else { return false }
        held?.add()
        if needsTimer { Task { await watch() } }
        // Room may have become free since he was told that there is none.
        tryNext()
        return true
    }

    /// Takes out somebody who got in, or who has gone.
    package func leave(_ place: Place) {
        let hasLeft = state.withLock { state in
            guard let entry = remove(place, &state) else { return false }
            if entry.isTrying {
                state.trying -= 1
                state.allowance += 1
                state.isBlocked = false
            }
            return true
        }
        if hasLeft { tryNext() }
    }

    /// Puts somebody back where he was, for whom there was no room yet.
    ///
    /// - Returns: False where his time is over: he is out of the line then, and the caller refuses him.
    package func returns(_ place: Place) -> Bool {
        let now = clock.now()
        let (waits, triesAgain) = state.withLock { state -> (Bool, Bool) in
            guard let index = state.entries.firstIndex(where: { $0.place == place }) else { return (false, false) }
            defer { state.hasMissedRoom = false }
            state.trying -= 1
            state.allowance = 1
            state.entries[index].isTrying = false
            state.isBlocked = !state.hasMissedRoom
            if !state.isClosed, mayWait(state.entries[index], at: now) { return (true, state.hasMissedRoom) }
            _ = remove(place, &state)
            return (false, true)
        }
        if triesAgain { tryNext() }
        return waits
    }

    /// Refuses everybody who waits, and lets nobody wait from now on.
    package func close() {
        state.withLock { $0.isClosed = true }
        refuseLate()
    }

    /// Lets those try who may; an attempt that leads back here ends at once, so that the stack stays short.
    private func tryNext() {
        let isServed = state.withLock { state in
            defer { state.isServed = true }
            return state.isServed
        }
        guard !isServed else { return }
        while let next = takeNext() { next.attempt(next.place) }
    }

    /// Who tries next; nil where nobody may, and nobody is served then.
    private func takeNext() -> Entry? {
        state.withLock { state in
            guard !state.isClosed, !state.isBlocked, state.trying < state.allowance,
                let index = state.entries.firstIndex(where: { !$0.isTrying })
            else {
                state.isServed = false
                return nil
            }
            state.trying += 1
            state.entries[index].isTrying = true
            return state.entries[index]
        }
    }

    private func watch() async {
        while true {
            try? await clock.sleep(Self.period)
            refuseLate()
            let isOver = state.withLock { state in
                if state.entries.isEmpty { state.hasTimer = false }
                state.isBlocked = false
                return state.entries.isEmpty
            }
            if isOver { return }
            tryNext()
        }
    }

    private func refuseLate() {
        let now = clock.now()
        let late = state.withLock { state in
            let late = state.entries.filter { !$0.isTrying && (state.isClosed || !mayWait($0, at: now)) }
            for entry in late { _ = remove(entry.place, &state) }
            return late
        }
        for entry in late { entry.refuse() }
    }

    private func remove(_ place: Place, _ state: inout State) -> Entry? {
        guard let index = state.entries.firstIndex(where: { $0.place == place }) else { return nil }
        let entry = state.entries.remove(at: index)
        state.bytes -= entry.bytes
        count.store(state.entries.count, ordering: .relaxed)
        return entry
    }

    private func mayWait(_ entry: Entry, at now: Duration) -> Bool {
        now < entry.deadline && isFlowing(within: entry.hold, at: now)
    }

    private func isFlowing(within hold: Duration, at now: Duration) -> Bool {
        let freed = freedAt.load(ordering: .relaxed)
        return freed >= 0 && now.wholeNanoseconds - freed < hold.wholeNanoseconds
    }
}
