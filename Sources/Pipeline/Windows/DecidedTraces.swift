import Basics

/// Traces that were decided, for a while and as many as there is room for: a fingerprint of each, and when.
///
/// Those of one process cannot be made to look the same, because fingerprints depend on a secret of it. Where there is no
/// more room the older half is forgotten.
struct DecidedTraces: Sendable {
    /// What one takes, with its place in the table.
    static let entryBytes = 3 * MemoryLayout<UInt64>.stride

    private let remember: Int64
    private let countMax: Int
    /// When each was decided, in nanoseconds.
    private var young: [UInt64: Int64] = [:]
    private var old: [UInt64: Int64] = [:]
    private var since: Int64 = 0

    /// - Parameters:
    ///   - remember: For how long, in nanoseconds.
    ///   - bytesMax: Bytes that all may take.
    init(remember: Int64, bytesMax: Int) {
        self.remember = remember
        countMax = max(2, bytesMax / Self.entryBytes)
    }

    var memoryBytes: Int { (young.count + old.count) * Self.entryBytes }

    mutating func insert(_ key: TraceKey, at now: Int64) {
        age(at: now)
        young[Self.fingerprint(key)] = now
    }

    mutating func contains(_ key: TraceKey, at now: Int64) -> Bool {
        age(at: now)
        let print = Self.fingerprint(key)
        guard let decided = young[print] ?? old[print] else { return false }
        return now - decided <= remember
    }

    private mutating func age(at now: Int64) {
        guard now - since > remember || young.count >= countMax / 2 else { return }
        old = now - since > 2 * remember ? [:] : young
        young = [:]
        since = now
    }

    private static func fingerprint(_ key: TraceKey) -> UInt64 { UInt64(bitPattern: Int64(key.hashValue)) }
}
