import Journal
import Synchronization

/// The bytes of a file of `FaultyFileSystem`: as programs see them, and as they would be after a crash.
final class FaultyFile: Sendable {
    static let sectorBytes = 512

    struct Contents {
        var current: [UInt8] = []
        var durable: [UInt8] = []
        var dirtySectors: Set<Int> = []

        mutating func markDirty(_ range: Range<Int>) {
            guard !range.isEmpty else { return }
            dirtySectors.formUnion(range.lowerBound / sectorBytes...(range.upperBound - 1) / sectorBytes)
        }

        mutating func resize(to count: Int) {
            if count < current.count {
                current.removeLast(current.count - count)
            } else {
                current += [UInt8](repeating: 0, count: count - current.count)
            }
        }

        mutating func sync() {
            durable.removeLast(max(0, durable.count - current.count))
            durable += [UInt8](repeating: 0, count: current.count - durable.count)
            for sector in dirtySectors {
                let start = min(sector * sectorBytes, current.count)
                let end = min(start + sectorBytes, current.count)
                durable.replaceSubrange(start..<end, with: current[start..<end])
            }
            dirtySectors = []
        }

        mutating func crash(losing loss: FaultyFileSystem.Loss, using generator: inout SeededGenerator) {
            if loss == .random {
                dirtySectors = dirtySectors.filter { _ in Bool.random(using: &generator) }
                let resized = current.count != durable.count && Bool.random(using: &generator)
                if resized || !dirtySectors.isEmpty { sync() }
            }
            current = durable
            dirtySectors = []
        }
    }

    let path: String
    let contents = Mutex(Contents())

    init(path: String) {
        self.path = path
    }
}

/// A `FaultyFile` as one opening sees it; dead after a crash.
final class OpenFile: File {
    private let file: FaultyFile
    private let fileSystem: FaultyFileSystem
    private let epoch: Int
    private let hasFailedSync = Mutex(false)

    init(_ file: FaultyFile, in fileSystem: FaultyFileSystem, epoch: Int) {
        self.file = file
        self.fileSystem = fileSystem
        self.epoch = epoch
    }

    private func check(_ operation: FaultyFileSystem.Operation) throws(FileSystemError) {
        try fileSystem.check(operation, file.path)
        guard fileSystem.state.withLock({ $0.epoch }) == epoch else {
            throw FileSystemError(operation: "\(operation)", path: file.path, code: 9)
        }
    }

    func size() throws(FileSystemError) -> Int { file.contents.withLock { $0.current.count } }

    func preallocate(_ count: Int) throws(FileSystemError) {
        try check(.preallocate)
        let (capacity, used) = fileSystem.state.withLock { ($0.capacity, $0.usedBytes) }
        let size = file.contents.withLock { $0.current.count }
        if let capacity, used - size + count > capacity {
            throw FileSystemError(operation: "fallocate", path: file.path, code: 28)
        }
        file.contents.withLock { $0.resize(to: max($0.current.count, count)) }
    }

    func truncate(to count: Int) throws(FileSystemError) {
        try check(.truncate)
        file.contents.withLock { $0.resize(to: count) }
    }

    func write(_ pieces: [[UInt8]], skipping skipped: Int, at offset: Int) throws(FileSystemError) -> Int {
        try check(.write)
        var all: [UInt8] = []
        for piece in pieces { all += piece }
        all.removeFirst(skipped)
        let count = fileSystem.state.withLock { state in
            state.shortWrites ? Int.random(in: 1...all.count, using: &state.generator) : all.count
        }
        file.contents.withLock { contents in
            contents.resize(to: max(contents.current.count, offset + count))
            contents.current.replaceSubrange(offset..<offset + count, with: all.prefix(count))
            contents.markDirty(offset..<offset + count)
        }
        return count
    }

    func read(_ count: Int, at offset: Int) throws(FileSystemError) -> [UInt8] {
        try check(.read)
        return file.contents.withLock { Array($0.current.dropFirst(offset).prefix(count)) }
    }

    func sync() throws(FileSystemError) {
        fileSystem.gate.pass()
        do throws(FileSystemError) {
            try check(.sync)
        } catch {
            file.contents.withLock { $0.dirtySectors = [] }
            hasFailedSync.withLock { $0 = true }
            throw error
        }
        if hasFailedSync.withLock({ $0 }), file.path.hasSuffix(".log") {
            fileSystem.state.withLock { $0.retriedSyncs += 1 }
        }
        file.contents.withLock { $0.sync() }
    }
}
