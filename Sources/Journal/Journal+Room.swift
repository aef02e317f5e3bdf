import Basics
import Synchronization

/// The room that is left.
extension Journal {
    /// What should be free, and what a log may hold whatever is free: one part in so many of the budget.
    private static let spareShare = 4

    /// Bytes that are left before the journal is full, and what of it is used; asks the disk what is free.
    package var room: (left: Int, used: Int) {
        let used = everyLog.reduce(0) { $0 + $1.itemBytes }
        return (max(0, settings.bytesLeft(beside: used, on: fileSystem)), used)
    }

    /// Up to which id a log's records have to be finished for the journal to have room again; nil while it has, or where others than
    /// this log hold it.
    ///
    /// Where the logs that windows read hold too much together, the largest of them is asked, as far as its share. Any thread; asks
    /// the disk what is free.
    package func endToPass(in log: Log) -> UInt64? {
        let spare = settings.maxBytes.bytes / Self.spareShare
        let left = settings.bytesLeft(beside: everyLog.reduce(0) { $0 + $1.itemBytes }, on: fileSystem)
        guard left < spare, case let bytes = log.itemBytes, bytes > 0 else { return nil }
        let others = everyLog.filter { $0.id != log.id && $0.isReadByWindow }.map(\.itemBytes)
        let isLargest = bytes + others.reduce(0, +) > spare && others.allSatisfy { $0 <= bytes }
        let limit = isLargest ? spare / (others.count + 1) : spare
        guard bytes > limit else { return nil }
        var excess = min(spare - left, bytes - limit)
        var end: UInt64?
        for segment in log.core.state.withLock({ $0.segments }) where excess > 0 {
            end = segment.endID
            excess -= segment.bytes
        }
        return end
    }
}

extension JournalSettings {
    /// What is left of the budget, and of the disk, where ordinary logs hold so much.
    func bytesLeft(beside used: Int, on fileSystem: any FileSystem) -> Int {
        let free = (try? fileSystem.freeBytes(at: directory)) ?? .max
        return min(maxBytes.bytes - used, free == .max ? .max : free - minFree.bytes)
    }
}

extension Log {
    /// What it takes of the budget that ordinary logs share.
    fileprivate var itemBytes: Int { role == .items ? core.state.withLock { $0.bytes } : 0 }

    fileprivate var isReadByWindow: Bool { readers.contains(where: \.isWindow) }
}
