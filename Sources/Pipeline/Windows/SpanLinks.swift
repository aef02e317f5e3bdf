import Basics
import OTLP

/// Which spans of all open traces are there, and which are missing though others name them as their parents.
///
/// Nine bytes for a span, in blocks that double: 13 on average.
struct SpanLinks: Sendable {
    /// What one trace has in here.
    struct Chain: Sendable {
        /// The block, among those of its size.
        fileprivate var block = noNumber
        fileprivate var count: UInt32 = 0
        /// Parents that were not seen.
        fileprivate(set) var missing: UInt32 = 0
        /// Those of them that are not in another process, as far as is known.
        fileprivate(set) var missingHere: UInt32 = 0
        /// How many spans the block has room for, as a power of two; zero for none.
        fileprivate var size: UInt8 = 0
    }

    /// What is known of a span.
    private enum Mark {
        static let isSeen: UInt8 = 1
        /// While it is missing: that one that names it does not say that it is remote.
        static let isLocal: UInt8 = 2
    }

    /// The sizes of blocks in which spans are looked for one by one; in larger ones they have their places.
    private static let smallSizes: ClosedRange<UInt8> = 2...6

    private var small = smallSizes.map { SpanBlocks(room: 1 << Int($0)) }
    private var large = Slab<SpanTable>()
    /// Bytes of all blocks.
    private(set) var memoryBytes = 0

    init() {}

    /// Notes a span of a trace, and the parent that it names.
    mutating func see(_ span: SpanSighting, _ chain: inout Chain) {
        let (own, isNew) = place(of: span.id.value, &chain)
        let before = isNew ? 0 : self[chain, own]
        if before & Mark.isSeen == 0 {
            self[chain, own] = before | Mark.isSeen
            if !isNew {
                chain.missing -= 1
                if before & Mark.isLocal != 0 { chain.missingHere -= 1 }
            }
        }
        guard let parent = span.parent else { return }
        let (link, isMissing) = place(of: parent.value, &chain)
        if isMissing { chain.missing += 1 }
        let known = self[chain, link]
        guard known & (Mark.isSeen | Mark.isLocal) == 0, !span.isParentRemote else { return }
        self[chain, link] = known | Mark.isLocal
        chain.missingHere += 1
    }

    /// Forgets the spans of a trace.
    mutating func remove(_ chain: Chain) {
        guard chain.size > 0 else { return }
        memoryBytes -= Self.bytes(of: chain.size)
        if Self.smallSizes.contains(chain.size) {
            small[Int(chain.size - Self.smallSizes.lowerBound)].remove(chain.block)
        } else {
            large.remove(chain.block)
        }
    }

    private static func bytes(of size: UInt8) -> Int { (1 << Int(size)) * (MemoryLayout<UInt64>.size + 1) }

    /// The marks of a span at its place.
    private subscript(_ chain: Chain, _ place: Int) -> UInt8 {
        get {
            guard Self.smallSizes.contains(chain.size) else { return large[chain.block].marks[place] }
            return small[Int(chain.size - Self.smallSizes.lowerBound)].mark(chain.block, place)
        }
        set {
            guard Self.smallSizes.contains(chain.size) else { return large[chain.block].marks[place] = newValue }
            small[Int(chain.size - Self.smallSizes.lowerBound)].set(newValue, chain.block, place)
        }
    }

    /// The place of a span, and whether it is a new one.
    private mutating func place(of id: UInt64, _ chain: inout Chain) -> (place: Int, isNew: Bool) {
        if let found = find(id, chain) { return (found, false) }
        let room = chain.size == 0 ? 0 : 1 << Int(chain.size)
        // A table needs free places to end a search.
        let limit = Self.smallSizes.contains(chain.size) ? room : room / 4 * 3
        if Int(chain.count) >= limit { grow(&chain) }
        chain.count += 1
        return (insert(id, marks: 0, Int(chain.count) - 1, chain), true)
    }

    private func find(_ id: UInt64, _ chain: Chain) -> Int? {
        guard chain.size > 0 else { return nil }
        guard Self.smallSizes.contains(chain.size) else { return large[chain.block].find(id) }
        return small[Int(chain.size - Self.smallSizes.lowerBound)].find(id, chain.block, Int(chain.count))
    }

    private mutating func insert(_ id: UInt64, marks: UInt8, _ place: Int, _ chain: Chain) -> Int {
        guard Self.smallSizes.contains(chain.size) else { return large[chain.block].insert(id, marks: marks) }
        small[Int(chain.size - Self.smallSizes.lowerBound)].insert(id, marks: marks, chain.block, place)
        return place
    }

    /// Moves the spans of a trace into a block of twice the size.
    private mutating func grow(_ chain: inout Chain) {
        let before = chain
        let spans: [(id: UInt64, marks: UInt8)]
        if chain.size == 0 {
            spans = []
        } else if Self.smallSizes.contains(chain.size) {
            spans = small[Int(chain.size - Self.smallSizes.lowerBound)].spans(chain.block, Int(chain.count))
        } else {
            spans = large[chain.block].spans
        }
        chain.size = max(Self.smallSizes.lowerBound, chain.size + 1)
        memoryBytes += Self.bytes(of: chain.size)
        if Self.smallSizes.contains(chain.size) {
            chain.block = small[Int(chain.size - Self.smallSizes.lowerBound)].add()
        } else {
            chain.block = large.insert(SpanTable(room: 1 << Int(chain.size)))
        }
        for (place, span) in spans.enumerated() { _ = insert(span.id, marks: span.marks, place, chain) }
        remove(before)
    }
}

/// Blocks of one size, in pieces of memory that never move; when the last block goes, all memory goes.
private struct SpanBlocks: Sendable {
    private struct Piece: Sendable {
        var ids: [UInt64]
        var marks: [UInt8]
    }

    private static let pieceBlocks = 256

    private let room: Int
    private var pieces: [Piece] = []
    private var free: [UInt32] = []
    private var count = 0

    init(room: Int) {
        self.room = room
    }

    mutating func add() -> UInt32 {
        count += 1
        if let block = free.popLast() { return block }
        let block = count - 1
        if block / Self.pieceBlocks == pieces.count {
            let spans = Self.pieceBlocks * room
            pieces.append(Piece(ids: Array(filledWith: 0, count: spans), marks: Array(filledWith: 0, count: spans)))
        }
        return UInt32(truncatingIfNeeded: block)
    }

    mutating func remove(_ block: UInt32) {
        count -= 1
        if count == 0 { (pieces, free) = ([], []) } else { free.append(block) }
    }

    func find(_ id: UInt64, _ block: UInt32, _ count: Int) -> Int? {
        let (piece, start) = position(block)
        for place in 0..<count where pieces[piece].ids[start + place] == id { return place }
        return nil
    }

    mutating func insert(_ id: UInt64, marks: UInt8, _ block: UInt32, _ place: Int) {
        let (piece, start) = position(block)
        pieces[piece].ids[start + place] = id
        pieces[piece].marks[start + place] = marks
    }

    func mark(_ block: UInt32, _ place: Int) -> UInt8 {
        let (piece, start) = position(block)
        return pieces[piece].marks[start + place]
    }

    mutating func set(_ mark: UInt8, _ block: UInt32, _ place: Int) {
        let (piece, start) = position(block)
        pieces[piece].marks[start + place] = mark
    }

    func spans(_ block: UInt32, _ count: Int) -> [(id: UInt64, marks: UInt8)] {
        let (piece, start) = position(block)
        return (start..<start + count).map { (pieces[piece].ids[$0], pieces[piece].marks[$0]) }
    }

    private func position(_ block: UInt32) -> (piece: Int, start: Int) {
        (Int(block) / Self.pieceBlocks, Int(block) % Self.pieceBlocks * room)
    }
}

/// The spans of a large trace, each at the first free place behind the one that its id says, which nobody else can foretell.
private struct SpanTable: Sendable {
    /// Zero for a free place: no span has that id.
    private var ids: [UInt64]
    var marks: [UInt8]

    private static let factor = UInt64.random(in: 0...UInt64.max) | 1

    /// - Parameter room: A power of two.
    init(room: Int) {
        ids = Array(filledWith: 0, count: room)
        marks = Array(filledWith: 0, count: room)
    }

    var spans: [(id: UInt64, marks: UInt8)] {
        ids.indices.compactMap { ids[$0] == 0 ? nil : (ids[$0], marks[$0]) }
    }

    func find(_ id: UInt64) -> Int? {
        let place = place(of: id)
        return ids[place] == id ? place : nil
    }

    mutating func insert(_ id: UInt64, marks mark: UInt8) -> Int {
        let place = place(of: id)
        (ids[place], marks[place]) = (id, mark)
        return place
    }

    /// Where it is, or else the free place where it would be.
    private func place(of id: UInt64) -> Int {
        // By the highest bits, which depend on all others.
        var place = (Int(truncatingIfNeeded: (id &* Self.factor) >> 32) &* ids.count) >> 32
        while ids[place] != 0, ids[place] != id { place = (place + 1) & (ids.count - 1) }
        return place
    }
}
