/// A record of a trace in a window's memory.
struct RecordLink: Sendable {
    let id: UInt64
    var next = noNumber
    /// The ids of its spans and its length, hashed; the lowest bit is `hasRoot`.
    private var bits: UInt32

    init(id: UInt64, digest: Int = 0) {
        self.id = id
        bits = UInt32(truncatingIfNeeded: digest) & ~1
    }

    /// Whether a root is among its spans.
    var hasRoot: Bool {
        get { bits & 1 == 1 }
        set { bits = digest | (newValue ? 1 : 0) }
    }

    /// The same for records that are the same, and hardly ever for others of one trace.
    var digest: UInt32 { bits & ~1 }
}

/// Records in the order in which they came.
struct RecordChain: Sendable {
    var first = noNumber
    var last = noNumber
}

/// The records of all traces, in a chain for each.
struct RecordLinks: Sendable {
    private var links = Slab<RecordLink>()

    init() {}

    var count: Int { links.count }

    subscript(_ number: UInt32) -> RecordLink {
        get { links[number] }
        _modify { yield &links[number] }
    }

    mutating func append(_ link: RecordLink, to chain: inout RecordChain) {
        let number = links.insert(link)
        if chain.last == noNumber { chain.first = number } else { links[chain.last].next = number }
        chain.last = number
    }

    func links(of chain: RecordChain) -> [RecordLink] {
        var found: [RecordLink] = []
        var number = chain.first
        while number != noNumber {
            found.append(links[number])
            number = links[number].next
        }
        return found
    }

    /// Forgets the records of a chain and says their ids.
    mutating func takeOut(_ chain: RecordChain) -> [UInt64] {
        var ids: [UInt64] = []
        var number = chain.first
        while number != noNumber {
            let link = links[number]
            ids.append(link.id)
            links.remove(number)
            number = link.next
        }
        return ids
    }
}
