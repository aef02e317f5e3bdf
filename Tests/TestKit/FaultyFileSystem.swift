package import Journal
import Synchronization

/// Files in memory with the failures of a disk: short writes, errors, no space, damage, and crashes that lose what was
/// not synced.
///
/// Everything random comes from a seed. A failed sync behaves like Linux: the pages count as clean afterwards, so that a
/// second sync reports success and they are lost all the same.
package final class FaultyFileSystem: FileSystem {
    /// What can be made to fail.
    package enum Operation: Sendable, Hashable {
        case createDirectory, lock, open, preallocate, write, read, sync, truncate, remove, syncDirectory
    }

    /// What a crash does to bytes that were not synced.
    package enum Loss: Sendable {
        /// All are lost.
        case everything
        /// Each sector of 512 bytes is lost or kept by chance.
        case random
        /// None is lost: only the process ended.
        case nothing
    }

    struct Fault {
        let operation: Operation
        let code: Int32
        let pathSuffix: String
        var times: Int
    }

    struct State {
        var generator: SeededGenerator
        var names: [String: FaultyFile] = [:]
        var durableNames: [String: FaultyFile] = [:]
        var directories: Set<String> = []
        var durableDirectories: Set<String> = []
        var faults: [Fault] = []
        var counts: [Operation: Int] = [:]
        var segmentCounts: [Operation: Int] = [:]
        var retriedSyncs = 0
        var shortWrites = false
        var capacity: Int?
        /// Rises with each crash; files that were open before are dead.
        var epoch = 0
        var lockedIn: Int?
    }

    let state: Mutex<State>
    let gate = SyncGate()

    package init(seed: UInt64 = 1) {
        state = Mutex(State(generator: SeededGenerator(seed: seed)))
    }

    package func createDirectory(_ path: String) throws(FileSystemError) -> Bool {
        try check(.createDirectory, path)
        return try state.withLock { state throws(FileSystemError) in
            let parent = path[..<(path.lastIndex(of: "/") ?? path.startIndex)]
            guard parent.isEmpty || state.directories.contains(String(parent)) else {
                throw FileSystemError(operation: "createDirectory", path: path, code: 2)
            }
            return state.directories.insert(path).inserted
        }
    }

    package func entries(of directory: String) throws(FileSystemError) -> [String] {
        state.withLock { state in
            let paths = Set(state.names.keys).union(state.directories)
            return paths.filter { $0.hasPrefix(directory + "/") }.map { String($0.dropFirst(directory.count + 1)) }
                .filter { !$0.contains("/") }
        }
    }

    package func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File {
        try check(.open, path)
        return try state.withLock { state throws(FileSystemError) in
            switch (mode, state.names[path]) {
            case (.existing, let file?), (.readOnly, let file?):
                return OpenFile(file, in: self, epoch: state.epoch)
            case (.existing, nil), (.readOnly, nil): throw FileSystemError(operation: "open", path: path, code: 2)
            case (.create, _?): throw FileSystemError(operation: "open", path: path, code: 17)
            case (.create, nil):
                let file = FaultyFile(path: path)
                state.names[path] = file
                return OpenFile(file, in: self, epoch: state.epoch)
            }
        }
    }

    package func remove(_ path: String) throws(FileSystemError) {
        try check(.remove, path)
        state.withLock { $0.names[path] = nil }
    }

    package func syncDirectory(_ path: String) throws(FileSystemError) {
        try check(.syncDirectory, path)
        state.withLock { state in
            let prefix = path == "/" ? path : path + "/"
            let within = { (name: String) in
                name.hasPrefix(prefix) && name != prefix && !name.dropFirst(prefix.count).contains("/")
            }
            state.durableDirectories.formUnion(state.directories.filter(within))
            state.durableNames = state.durableNames.filter { !within($0.key) }
            for (name, file) in state.names where within(name) { state.durableNames[name] = file }
        }
    }

    package func freeBytes(at path: String) throws(FileSystemError) -> Int {
        state.withLock { state in
            guard let capacity = state.capacity else { return .max }
            return max(0, capacity - state.usedBytes)
        }
    }

    package func lock(_ path: String) throws(FileSystemError) -> (any AnyObject & Sendable)? {
        try check(.lock, path)
        return state.withLock { state in
            guard state.lockedIn != state.epoch else { return nil }
            state.lockedIn = state.epoch
            return HeldLock(self, epoch: state.epoch)
        }
    }

    /// Counts an operation, and fails it where that was asked for.
    func check(_ operation: Operation, _ path: String) throws(FileSystemError) {
        let code: Int32? = state.withLock { state in
            state.counts[operation, default: 0] += 1
            if path.hasSuffix(".log") { state.segmentCounts[operation, default: 0] += 1 }
            let fault = state.faults.firstIndex {
                $0.operation == operation && path.hasSuffix($0.pathSuffix) && $0.times > 0
            }
            guard let fault else { return nil }
            state.faults[fault].times -= 1
            return state.faults[fault].code
        }
        if let code { throw FileSystemError(operation: "\(operation)", path: path, code: code) }
    }

    private final class HeldLock: Sendable {
        private let fileSystem: FaultyFileSystem
        private let epoch: Int

        init(_ fileSystem: FaultyFileSystem, epoch: Int) {
            self.fileSystem = fileSystem
            self.epoch = epoch
        }

        deinit {
            fileSystem.state.withLock { state in
                if state.lockedIn == epoch { state.lockedIn = nil }
            }
        }
    }
}

extension FaultyFileSystem.State {
    /// Directories whose names were not synced, and all that is in them, may be gone after a crash.
    mutating func loseDirectories(losing loss: FaultyFileSystem.Loss) {
        for path in directories.subtracting(durableDirectories).sorted() where directories.contains(path) {
            if loss == .random, Bool.random(using: &generator) { continue }
            let isLost = { (name: String) in name == path || name.hasPrefix(path + "/") }
            directories = directories.filter { !isLost($0) }
            names = names.filter { !isLost($0.key) }
            durableNames = durableNames.filter { !isLost($0.key) }
        }
        durableDirectories = directories
    }

    var usedBytes: Int { names.values.reduce(0) { $0 + $1.contents.withLock { $0.current.count } } }
}

// What tests do to it.
extension FaultyFileSystem {
    /// Makes the next `times` operations of a kind fail with an `errno`, on paths that end with `pathSuffix`.
    package func fail(_ operation: Operation, code: Int32 = 5, times: Int = 1, pathSuffix: String = "") {
        state.withLock {
            $0.faults.append(Fault(operation: operation, code: code, pathSuffix: pathSuffix, times: times))
        }
    }

    /// No operation fails any more.
    package func heal() {
        state.withLock { $0.faults = [] }
    }

    /// Whether writes take less than they were given, by chance.
    package func setShortWrites(_ enabled: Bool) {
        state.withLock { $0.shortWrites = enabled }
    }

    /// How many bytes all files together may have; nil for no limit.
    package func setCapacity(_ bytes: Int?) {
        state.withLock { $0.capacity = bytes }
    }

    /// How often an operation was called.
    package func count(of operation: Operation) -> Int {
        state.withLock { $0.counts[operation] ?? 0 }
    }

    /// How often it was called of segments; cursors are written when their time comes.
    package func countOfSegments(_ operation: Operation) -> Int {
        state.withLock { $0.segmentCounts[operation] ?? 0 }
    }

    /// How often a segment was synced by whom a sync of it had failed before: what that one lost stays lost.
    package var retriedSyncs: Int { state.withLock { $0.retriedSyncs } }

    /// The paths of all files that end with `suffix`, in order.
    package func paths(endingWith suffix: String) -> [String] {
        state.withLock { $0.names.keys.filter { $0.hasSuffix(suffix) }.sorted() }
    }

    /// The bytes of a file; empty when there is none.
    package func bytes(of path: String) -> [UInt8] {
        let file = state.withLock { $0.names[path] }
        return file?.contents.withLock { $0.current } ?? []
    }

    /// Changes a file as damage or another program would: durably and unnoticed.
    package func change(_ path: String, _ body: (inout [UInt8]) -> Void) {
        let file = state.withLock { $0.names[path] }
        file?.contents.withLock { contents in
            body(&contents.current)
            contents.durable = contents.current
            contents.dirtySectors = []
        }
    }

    /// Deletes a file as another program would: durably.
    package func delete(_ path: String) {
        state.withLock { state in
            state.names[path] = nil
            state.durableNames[path] = nil
        }
    }

    /// Ends the machine: all open files and locks are dead, and unsynced bytes and names are lost.
    package func crash(losing loss: Loss) {
        state.withLock { state in
            state.epoch += 1
            state.faults = []
            if loss == .nothing { return }
            state.loseDirectories(losing: loss)
            for path in Set(state.names.keys).union(state.durableNames.keys).sorted()
            where state.names[path] !== state.durableNames[path] {
                if loss == .everything || Bool.random(using: &state.generator) {
                    state.names[path] = state.durableNames[path]
                }
            }
            for path in state.names.keys.sorted() {
                state.names[path]?.contents.withLock { $0.crash(losing: loss, using: &state.generator) }
            }
            state.durableNames = state.names
        }
    }

    /// Holds every sync from now on, until the gate is opened; returns it.
    package func holdSyncs() -> SyncGate {
        gate.hold()
        return gate
    }
}
