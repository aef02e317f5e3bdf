import Basics
import Synchronization

/// Counts how often the same batch failed for a reason that may pass.
///
/// Knows a batch by its length and checksum; remembers only the latest few hundred.
final class Patience: Sendable {
    /// Attempts of one batch before it is taken for poison.
    static let attemptsMax = 3
    /// Batches remembered, at most.
    static let batchesMax = 256

    private struct Entry {
        let count: Int
        let checksum: UInt32
        var failures: Int
    }

    /// The latest first seen is last.
    private let entries = Mutex([Entry]())

    /// Notes one more failure of a batch; false when it was the last that it may have.
    func lasts(_ payload: [UInt8]) -> Bool {
        var checksum = CRC32C()
        checksum.update(payload.span.bytes)
        let value = checksum.value
        return entries.withLock { entries in
            guard let index = entries.firstIndex(where: { $0.count == payload.count && $0.checksum == value }) else {
                if entries.count == Self.batchesMax { entries.removeFirst() }
                entries.append(Entry(count: payload.count, checksum: value, failures: 1))
                return true
            }
            entries[index].failures += 1
            guard entries[index].failures >= Self.attemptsMax else { return true }
            entries.remove(at: index)
            return false
        }
    }
}
