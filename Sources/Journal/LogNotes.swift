import Basics
import Logging
import Synchronization

/// Notes beside a log, which outlive its records: slots of 16 bytes, whose meaning is their owner's.
///
/// They lie in two files, of which the elder goes as a whole. What was written survives a kill of the process, and is on the disk
/// before records are deleted from the log: an owner that notes what it knows by a record loses it at no moment. Any thread; the
/// journal's thread writes.
///
/// The files are `directory/LOG/notes.N` with ascending N. Integers are little-endian.
///
///     offset  size
///     0       8     "MILLNOTE"
///     8       4     version, 1
///     12      4     CRC-32C of the 24 bytes behind it
///     16      8     N
///     24      16    the key, the same in all files
///     40      24    zero
///     64      16    for each slot; what is cut short at the end does not count
package final class LogNotes: Sendable {
    package static let slotBytes = 16
    private static let version: UInt32 = 1
    private static let headerBytes = 64
    private static let magic = Array("MILLNOTE".utf8)
    private static let prefix = "notes."
    /// What waits for a disk that takes nothing, at most; beyond it is forgotten with the process.
    private static let pendingMax = 4 << 20

    /// What waits to be written.
    private struct Queue: Sendable {
        var writes: [Write] = []
        var bytes = 0
        /// Whether some of it was forgotten that the log has told of.
        var isOver = false
    }

    /// The journal's thread has it.
    private struct Disk: Sendable {
        var file: (file: any File, end: Int)?
        /// Of the file that is written.
        var number: UInt64
        /// Older files, ascending.
        var older: [UInt64]
        /// What could not be written yet.
        var left: ArraySlice<Write> = []
        var isDirty = false
        var isFailing = false
    }

    private enum Write: Sendable {
        case slots([UInt8])
        /// A new file begins; the one before the last goes.
        case turn
    }

    /// What was found on the disk.
    package struct Content: Sendable {
        /// The slots of each file, the elder first; at most two.
        package let files: [[UInt8]]
    }

    /// Random, kept with the notes.
    package let key: (UInt64, UInt64)
    private let core: LogCore
    private let queue = Mutex(Queue())
    private let disk: Mutex<Disk>

    private init(_ core: LogCore, key: (UInt64, UInt64), _ disk: Disk) {
        self.core = core
        self.key = key
        self.disk = Mutex(disk)
    }

    /// Opens the notes of a log, or begins them; once, before anything is written.
    ///
    /// The calling thread waits for the disk. Files that cannot be read are as if they were not there.
    package static func open(beside log: Log) -> (notes: LogNotes, content: Content) {
        let core = log.core
        let names = (try? core.fileSystem.entries(of: core.directory)) ?? []
        let numbers = names.filter { $0.hasPrefix(prefix) }.compactMap { UInt64($0.dropFirst(prefix.count)) }.sorted()
        var found: [(number: UInt64, key: (UInt64, UInt64), slots: [UInt8], file: any File)] = []
        for number in numbers {
            guard let file = try? core.fileSystem.open(path(number, core), .existing), let size = try? file.size(),
                let key = self.key(in: file.readTolerantly(headerBytes, at: 0), of: number)
            else { continue }
            let whole = max(0, size - headerBytes) / slotBytes * slotBytes
            found.append((number, key, file.readTolerantly(whole, at: headerBytes), file))
        }
        let key = found.last?.key ?? (.random(in: 0 ... .max), .random(in: 0 ... .max))
        let kept = found.filter { $0.key == key }.suffix(2)
        var disk = Disk(number: (numbers.last ?? 0) + 1, older: numbers)
        if let last = kept.last, last.number == numbers.last {
            disk = Disk(number: last.number, older: numbers.dropLast())
            disk.file = (last.file, headerBytes + last.slots.count)
        }
        let notes = LogNotes(core, key: key, disk)
        core.notes.withLock { $0 = notes }
        return (notes, Content(files: kept.map(\.slots)))
    }

    /// Adds slots; never blocks.
    package func write(_ slots: [UInt8]) {
        guard !slots.isEmpty else { return }
        let isFirstOver = queue.withLock { queue in
            guard queue.bytes + slots.count <= Self.pendingMax else {
                defer { queue.isOver = true }
                return !queue.isOver
            }
            queue.writes.append(.slots(slots))
            queue.bytes += slots.count
            return false
        }
        guard isFirstOver else { return }
        core.logger.warning(
            "More notes of decided traces wait than may; what is decided now is forgotten with the process.",
            metadata: ["log": "\(core.directory)"]
        )
    }

    /// Writes what waits; the calling thread waits for the disk.
    package func flush() { flush(sync: false) }

    /// What is written from now on goes into a new file, and only the one before it stays; never blocks.
    package func turn() {
        queue.withLock { $0.writes.append(.turn) }
    }

    /// Writes what waits; the journal's thread.
    ///
    /// What a disk that fails leaves is tried again; who waits for room on it must not wait for that.
    ///
    /// - Parameter sync: Whether it has to be on the disk.
    func flush(sync: Bool) {
        disk.withLock { disk in
            disk.left += queue.withLock { queue in
                defer { queue.writes = [] }
                return queue.writes
            }
            do throws(FileSystemError) {
                while let next = disk.left.first {
                    switch next {
                    case .turn: try turn(&disk)
                    case .slots(let slots):
                        try append(slots, &disk)
                        queue.withLock { $0.bytes -= slots.count }
                    }
                    disk.left.removeFirst()
                }
                if sync, disk.isDirty, let file = disk.file?.file {
                    try file.sync()
                    disk.isDirty = false
                }
                disk.isFailing = false
                queue.withLock { $0.isOver = false }
            } catch {
                if !disk.isFailing {
                    core.logger.warning("Notes of decided traces cannot be written.", metadata: ["cause": "\(error)"])
                }
                disk.isFailing = true
            }
        }
    }

    private func append(_ slots: [UInt8], _ disk: inout Disk) throws(FileSystemError) {
        if disk.file == nil { try begin(&disk) }
        guard let (file, end) = disk.file else { return }
        try file.writeAll([slots], at: end, path: Self.path(disk.number, core))
        disk.file = (file, end + slots.count)
        disk.isDirty = true
    }

    private func turn(_ disk: inout Disk) throws(FileSystemError) {
        if let (file, _) = disk.file {
            if disk.isDirty { try file.sync() }
            disk.older.append(disk.number)
            disk.number += 1
            disk.file = nil
        }
        try begin(&disk)
        for number in disk.older.dropLast() { try? core.fileSystem.remove(Self.path(number, core)) }
        disk.older = disk.older.suffix(1)
    }

    private func begin(_ disk: inout Disk) throws(FileSystemError) {
        let path = Self.path(disk.number, core)
        // One that was begun and not finished.
        try? core.fileSystem.remove(path)
        let file = try core.fileSystem.open(path, .create)
        try file.writeAll([header(disk.number)], at: 0, path: path)
        try core.fileSystem.syncDirectory(core.directory)
        disk.file = (file, Self.headerBytes)
        disk.isDirty = true
    }

    private static func path(_ number: UInt64, _ core: LogCore) -> String { "\(core.directory)/\(prefix)\(number)" }

    private func header(_ number: UInt64) -> [UInt8] {
        var body: [UInt8] = []
        for word in [number, key.0, key.1] { body.append(littleEndian: word) }
        var checksum = CRC32C()
        checksum.update(body.span.bytes)
        var bytes = Self.magic
        bytes.append(littleEndian: Self.version)
        bytes.append(littleEndian: checksum.value)
        bytes += body
        return bytes + [UInt8](repeating: 0, count: Self.headerBytes - bytes.count)
    }

    private static func key(in header: [UInt8], of number: UInt64) -> (UInt64, UInt64)? {
        guard header.count == headerBytes, header[..<8].elementsEqual(magic) else { return nil }
        let bytes = header.span.bytes
        var checksum = CRC32C()
        checksum.update(bytes.extracting(16..<40))
        guard bytes.uint32(at: 8) == version, bytes.uint32(at: 12) == checksum.value, bytes.word(at: 16) == number
        else { return nil }
        return (bytes.word(at: 24), bytes.word(at: 32))
    }
}

extension Journal {
    /// Has notes written soon; never blocks.
    package func flush(_ notes: LogNotes) { _ = perform { _ in notes.flush(sync: false) } }
}
