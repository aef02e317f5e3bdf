/// Values by keys that clients choose, a bounded number of them: where the table is full, a new key takes the room of keys
/// that were not used for a while.
///
/// Holds no clock. What is idle is looked for only where room is needed, and not again before something can be idle, so
/// that keys that find no room cost next to nothing.
package struct IdleTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let value: Value
        var lastUsed: UnixTime
    }

    private var entries: [Key: Entry] = [:]
    private let countMax: Int
    private let idleTime: Duration
    private var latestLook = UnixTime(nanoseconds: 0)
    /// Nothing is idle before that moment.
    private var nextLook = UnixTime(nanoseconds: 0)

    /// - Parameters:
    ///   - countMax: Keys at most.
    ///   - idleTime: How long a key keeps its place after it was last used.
    package init(countMax: Int, idleTime: Duration) {
        self.countMax = countMax
        self.idleTime = idleTime
    }

    /// The same keys within other limits; where there are more than `countMax`, the idle ones make room when others want it.
    package func limited(to countMax: Int, idleTime: Duration) -> IdleTable {
        var table = IdleTable(countMax: countMax, idleTime: idleTime)
        table.entries = entries
        return table
    }

    /// Keys in it now.
    package var count: Int { entries.count }
    /// Whether a new key finds no room without `makeRoom`.
    package var isFull: Bool { entries.count >= countMax }

    /// The value of a key, which counts as a use of it; nil for one that is not there.
    package mutating func use(_ key: Key, at now: UnixTime) -> Value? {
        guard let index = entries.index(forKey: key) else { return nil }
        entries.values[index].lastUsed = now
        return entries.values[index].value
    }

    /// Adds a key or replaces its value; the caller has looked whether there is room.
    package mutating func insert(_ value: Value, for key: Key, at now: UnixTime) {
        entries[key] = Entry(value: value, lastUsed: now)
    }

    /// Takes a key out; returns its value, nil for one that is not there.
    package mutating func remove(_ key: Key) -> Value? {
        entries.removeValue(forKey: key)?.value
    }

    /// Where the table is full, takes out every key that is idle and returns what was taken out.
    package mutating func makeRoom(at now: UnixTime) -> [(key: Key, value: Value)] {
        guard isFull, now >= nextLook || now < latestLook else { return [] }
        var idle: [(key: Key, value: Value)] = []
        var oldest = now
        var index = entries.startIndex
        while index < entries.endIndex {
            // After the clock went back, what was used "later" was used now.
            entries.values[index].lastUsed = min(entries.values[index].lastUsed, now)
            let (key, entry) = entries[index]
            if now.since(entry.lastUsed) >= idleTime {
                idle.append((key, entry.value))
            } else {
                oldest = min(oldest, entry.lastUsed)
            }
            entries.formIndex(after: &index)
        }
        for (key, _) in idle { entries[key] = nil }
        latestLook = now
        nextLook = UnixTime(nanoseconds: oldest.nanoseconds &+ UInt64(clamping: idleTime.wholeNanoseconds))
        return idle
    }
}

extension IdleTable where Value == Bool {
    /// Notes a key, which counts as a use of it; true where it was not there and found room.
    package mutating func note(_ key: Key, at now: UnixTime) -> Bool {
        guard use(key, at: now) == nil else { return false }
        _ = makeRoom(at: now)
        guard !isFull else { return false }
        insert(true, for: key, at: now)
        return true
    }
}
