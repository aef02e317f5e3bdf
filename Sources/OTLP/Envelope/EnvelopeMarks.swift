import Basics

/// The changes that processors marked in a `Envelope`.
///
/// Every table stays empty until its first mark, so that an untouched batch costs nothing.
@usableFromInline
struct EnvelopeMarks: Sendable {
    /// A change inside one unit, scope or resource; those of one owner are a chain.
    struct Edit: Sendable {
        /// The bytes of the body that go.
        var cut: ShortRange
        /// Where that starts in what `builder` built which comes in their place; it ends where that of the next edit starts.
        let start: Int32
        /// How many quotes the builder had then: the next one is the first that may belong there.
        let quote: Int32
        /// The event inside which the change is made; -1 outside of events.
        var event: Int32 = -1
        /// The next edit of the same owner; -1 after the last.
        var next: Int32 = -1
    }

    /// The edits of each owner.
    struct Chains: Sendable {
        private struct Chain {
            var first: Int32 = -1
            var last: Int32 = -1
        }

        private var chains: [Chain] = []

        var isEmpty: Bool { chains.isEmpty }

        /// The first edit of an owner; -1 where there is none.
        @inline(__always) func head(_ owner: Int) -> Int32 { chains.isEmpty ? -1 : chains[owner].first }

        /// Puts `edit` behind the last of `owner`, one of `count`.
        @inline(__always)
        mutating func append(_ edit: Int32, to owner: Int, of count: Int, _ edits: inout [Edit]) {
            if chains.isEmpty { chains = [Chain](filledWith: Chain(), count: count) }
            let last = chains[owner].last
            if last < 0 {
                chains[owner] = Chain(first: edit, last: edit)
            } else {
                edits[Int(last)].next = edit
                chains[owner].last = edit
            }
        }

        /// Forgets the edits of an owner from the one numbered `count` on.
        mutating func truncate(_ owner: Int, to count: Int, _ edits: inout [Edit]) {
            guard !chains.isEmpty else { return }
            var last: Int32 = -1
            var next = chains[owner].first
            while next >= 0, Int(next) < count {
                last = next
                next = edits[Int(next)].next
            }
            if last >= 0 { edits[Int(last)].next = -1 }
            chains[owner] = last < 0 ? Chain() : Chain(first: chains[owner].first, last: last)
        }
    }

    /// Whether something without units has a flaw and must go.
    var isForced = false
    /// For each unit the raw value of its `Removal`, 0 while it stays.
    @usableFromInline var removals: [UInt8] = []
    /// How many items are out, by raw value of `Removal`.
    var removedCounts: [Int] = [0, 0, 0, 0]
    /// For each unit its output group.
    var groups: [UInt16] = []
    /// How many units each group has; kept only while `groups` is.
    var groupCounts: [Int] = []
    var edits: [Edit] = []
    /// The place whose end the last of `edits` is made at, packed; nil where it is made elsewhere.
    ///
    /// What is added there next becomes a part of that edit.
    @usableFromInline var latestEnd: UInt32?
    var unitEdits = Chains()
    var scopeEdits = Chains()
    var resourceEdits = Chains()
    /// The bytes that edits bring in.
    @usableFromInline var builder = ValueBuilder()

    /// What an edit brings in, as a part of what `builder` built.
    @inline(__always)
    func content(of edit: Int32) -> ShortRange {
        let (index, next) = (Int(edit), Int(edit) + 1)
        var content = ShortRange()
        content.start = edits[index].start
        content.end = next < edits.count ? edits[next].start : builder.position
        return content
    }

    /// The quotes in what an edit brings in.
    @inline(__always)
    func quotes(of edit: Int32) -> Range<Int> {
        let (index, next) = (Int(edit), Int(edit) + 1)
        return Int(edits[index].quote)..<(next < edits.count ? Int(edits[next].quote) : builder.bytes.quotes.count)
    }

    var removedCount: Int { removedCounts.reduce(0, +) }
    var isEmpty: Bool { removals.isEmpty && edits.isEmpty && !isForced }

    mutating func remove(_ unit: Int, of count: Int, counting items: Int, as removal: Removal) {
        if removals.isEmpty { removals = [UInt8](filledWith: 0, count: count) }
        guard removals[unit] == 0 else { return }
        removals[unit] = removal.rawValue
        removedCounts[Int(removal.rawValue)] += items
    }

    mutating func assign(_ unit: Int, of count: Int, to group: UInt16) {
        if groups.isEmpty {
            guard group != 0 else { return }
            groups = [UInt16](filledWith: 0, count: count)
            groupCounts = [count]
        }
        while groupCounts.count <= Int(group) { groupCounts.append(0) }
        groupCounts[Int(groups[unit])] -= 1
        groupCounts[Int(group)] += 1
        groups[unit] = group
    }
}
