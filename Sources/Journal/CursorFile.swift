import Basics

// The format of a cursor, `directory/LOG/NAME.cursor`: two slots that are overwritten in turn, so that a torn write
// leaves the one before. All integers are little-endian. In a log of dead letters slots have 262144 bytes, and those of a
// reader that settles in an order of its own (`ReaderDefinition.isWindow`) have 4194304.
//
//   offset  size
//   0       65536 slot of even generations
//   65536   65536 slot of odd generations
//
// Slot
//   offset  size
//   0       8     "MILLCURS"; this field and the next keep their place in every version
//   8       4     version: 1, or 2 with the part that only that has
//   12      4     number of ranges
//   16      8     generation, from 1; the valid slot with the higher one counts
//   24      8     since, nanoseconds since 1970
//   32      8     start id
//   40      8     closed id; all ones while the reader is not abandoned
//   48      8     next id of the log when the slot was written
//   56      8     low: everything below is finished
//   64      56    totals of the outcomes with the codes 0 to 6 (Outcome.swift), 8 each; with items that take no id, which only
//                 a log that records are moved to has
//   120     16    for each range its first id and the id after its last
//   –       4     version 2: how many policies follow; for each the length of its name in one byte, the name, and in 8 bytes how many
//                 items of the outcome 2 it dropped
//   –       4     CRC-32C of everything before

/// The size of a slot and how many ranges fit.
struct CursorSlot: Sendable, Equatable {
    let bytes: Int
    let rangesMax: Int

    /// `LogReader.inFlightMax` keeps a reader below it.
    static let ordinary = CursorSlot(bytes: 65536, rangesMax: 4000)
    /// Between two ranges may also lie a dead letter: `Committer.boundDeadLetters` keeps their log below it.
    static let deadLetters = CursorSlot(bytes: 262_144, rangesMax: 16000)

    /// Between two ranges may also lie what a window has not decided; where there are more, the cursor waits.
    static let window = CursorSlot(bytes: 4_194_304, rangesMax: 262_136)

    static func of(_ role: LogDefinition.Role, isWindow: Bool) -> CursorSlot {
        isWindow ? .window : role == .items ? .ordinary : .deadLetters
    }

    /// That of a cursor file of so many bytes in a log of that kind.
    static func of(_ kind: LogID.Kind, fileBytes: Int) -> CursorSlot {
        fileBytes >= window.bytes * 2 ? .window : kind == .deadLetters ? .deadLetters : .ordinary
    }
}

/// What a cursor file says.
struct CursorSnapshot: Sendable, Equatable {
    private static let versions: (plain: UInt32, withPolicies: UInt32) = (1, 2)
    private static let fixedBytes = 120
    private static let magic = Array("MILLCURS".utf8)

    var cursor: Cursor
    /// The log's next id: what is missing below it at the next start was lost.
    var endID: UInt64

    /// The bytes of a slot; nil when there are too many ranges.
    func encoded(generation: UInt64, in slot: CursorSlot = .ordinary) -> [UInt8]? {
        let ranges = cursor.finished.rangesAboveLow
        guard ranges.count <= slot.rangesMax else { return nil }
        var bytes = Self.magic
        var policies: [UInt8] = []
        if !cursor.totals.sampledOutBy.isEmpty { cursor.totals.appendPolicies(to: &policies) }
        // Where there is no room for names, only how much was sampled out is kept.
        let hasPolicies =
            !policies.isEmpty && Self.fixedBytes + 16 * ranges.count + policies.count + 4 <= slot.bytes
        bytes.append(littleEndian: hasPolicies ? Self.versions.withPolicies : Self.versions.plain)
        bytes.append(littleEndian: UInt32(truncatingIfNeeded: ranges.count))
        bytes.append(littleEndian: generation)
        bytes.append(littleEndian: cursor.since)
        bytes.append(littleEndian: cursor.startID)
        bytes.append(littleEndian: cursor.closedID ?? .max)
        bytes.append(littleEndian: endID)
        bytes.append(littleEndian: cursor.finished.low)
        for outcome in Outcome.allCases { bytes.append(littleEndian: cursor.totals[outcome]) }
        for range in ranges {
            bytes.append(littleEndian: range.lowerBound)
            bytes.append(littleEndian: range.upperBound)
        }
        if hasPolicies { bytes += policies }
        guard bytes.count + 4 <= slot.bytes else { return nil }
        var checksum = CRC32C()
        checksum.update(bytes.span.bytes)
        bytes.append(littleEndian: checksum.value)
        return bytes
    }

    /// What a slot says.
    enum Reading {
        case valid(CursorSnapshot, generation: UInt64)
        case foreign(version: UInt32)
        /// Never written, torn or damaged.
        case invalid
    }

    static func reading(_ slot: [UInt8]) -> Reading {
        guard slot.count >= fixedBytes + 4, slot[..<8].elementsEqual(magic) else { return .invalid }
        let bytes = slot.span.bytes
        let version = bytes.uint32(at: 8)
        guard version == versions.plain || version == versions.withPolicies else { return .foreign(version: version) }
        let count = Int(bytes.uint32(at: 12))
        var end = fixedBytes + 16 * count
        guard end + 4 <= slot.count else { return .invalid }
        var named = OutcomeCounts()
        if version == versions.withPolicies {
            guard let behind = named.readPolicies(bytes, from: end), behind + 4 <= slot.count else { return .invalid }
            end = behind
        }
        var checksum = CRC32C()
        checksum.update(bytes.extracting(0..<end))
        guard checksum.value == bytes.uint32(at: end) else { return .invalid }
        guard let snapshot = Self(validated: bytes, ranges: count, named) else { return .invalid }
        return .valid(snapshot, generation: bytes.word(at: 16))
    }

    init(cursor: Cursor, endID: UInt64) {
        self.cursor = cursor
        self.endID = endID
    }

    private init?(validated bytes: RawSpan, ranges count: Int, _ named: OutcomeCounts) {
        var totals = named
        for outcome in Outcome.allCases { totals[outcome] = bytes.word(at: 64 + 8 * Int(outcome.rawValue)) }
        var ranges: [Range<UInt64>] = []
        for index in 0..<count {
            let lower = bytes.word(at: Self.fixedBytes + 16 * index)
            let upper = bytes.word(at: Self.fixedBytes + 16 * index + 8)
            guard lower < upper else { return nil }
            ranges.append(lower..<upper)
        }
        let closedID = bytes.word(at: 40)
        guard let finished = IDSet(below: bytes.word(at: 56), and: ranges),
            let cursor = Cursor(
                since: bytes.word(at: 24),
                startID: bytes.word(at: 32),
                closedID: closedID == .max ? nil : closedID,
                finished: finished,
                totals: totals
            )
        else { return nil }
        self.init(cursor: cursor, endID: bytes.word(at: 48))
    }
}

/// What both slots of a cursor file say.
struct CursorSlots: Sendable {
    private(set) var newest: (snapshot: CursorSnapshot, generation: UInt64)?
    private(set) var foreignVersion: UInt32?
    /// The offsets of slots that were written and are not valid.
    private(set) var damaged: [Int] = []

    init(_ file: any File, _ slot: CursorSlot) {
        for offset in [0, slot.bytes] {
            let bytes = file.readTolerantly(slot.bytes, at: offset)
            switch CursorSnapshot.reading(bytes) {
            case .valid(let snapshot, let generation):
                if generation > newest?.generation ?? 0 { newest = (snapshot, generation) }
            case .foreign(let version): foreignVersion = version
            case .invalid: if !bytes.allSatisfy({ $0 == 0 }) { damaged.append(offset) }
            }
        }
    }
}

/// The open cursor file of one reader.
struct CursorFile: Sendable {
    private let file: any File
    private let path: String
    private let slot: CursorSlot
    private var generation: UInt64

    /// What opening a cursor gave.
    enum Opened {
        case read(CursorFile, CursorSnapshot)
        /// It is new, or nothing in it is valid.
        case empty(CursorFile, damaged: Bool)
        case foreign(version: UInt32)
    }

    private init(_ file: any File, path: String, slot: CursorSlot, generation: UInt64) {
        self.file = file
        self.path = path
        self.slot = slot
        self.generation = generation
    }

    /// Creates the cursor of an ordinary log at `path` with its space reserved.
    static func create(
        _ path: String,
        slot: CursorSlot,
        in fileSystem: any FileSystem
    ) throws(FileSystemError) -> CursorFile {
        let file = try fileSystem.open(path, .create)
        try file.preallocate(slot.bytes * 2)
        return CursorFile(file, path: path, slot: slot, generation: 0)
    }

    /// Opens the cursor at `path`, or creates it with its space reserved.
    static func open(
        _ path: String,
        exists: Bool,
        slot size: CursorSlot = .ordinary,
        in fileSystem: any FileSystem
    ) throws(FileSystemError) -> Opened {
        let file = try fileSystem.open(path, exists ? .existing : .create)
        let fileBytes = size.bytes * 2
        if try file.size() < fileBytes { try file.preallocate(fileBytes) }
        let slots = CursorSlots(file, size)
        if let version = slots.foreignVersion, slots.newest == nil { return .foreign(version: version) }
        let opened = CursorFile(file, path: path, slot: size, generation: slots.newest?.generation ?? 0)
        guard let newest = slots.newest else { return .empty(opened, damaged: !slots.damaged.isEmpty) }
        return .read(opened, newest.snapshot)
    }

    /// Overwrites the older slot.
    ///
    /// - Returns: False when there are too many ranges for a slot; the slot before stays, which repeats deliveries after
    ///   a crash and loses nothing.
    mutating func write(_ snapshot: CursorSnapshot, sync: Bool) throws(FileSystemError) -> Bool {
        guard let bytes = snapshot.encoded(generation: generation + 1, in: slot) else { return false }
        let position = Int((generation + 1) % 2)
        try file.writeAll([bytes], at: position * slot.bytes, path: path)
        if sync { try file.sync() }
        generation += 1
        return true
    }
}
