/// Spans to be looked at, the one of the lowest rank first: a binary heap.
struct SpanQueue: Sendable {
    private struct Entry {
        let rank: UInt64
        /// Decides among equal ranks.
        let order: Int
        let span: Int

        static func < (left: Entry, right: Entry) -> Bool {
            left.rank == right.rank ? left.order < right.order : left.rank < right.rank
        }
    }

    private var entries: [Entry] = []
    /// Comparisons made.
    private(set) var steps = 0

    /// Adds a span.
    mutating func push(_ span: Int, rank: UInt64, order: Int) {
        var position = entries.count
        entries.append(Entry(rank: rank, order: order, span: span))
        while position > 0, case let above = (position - 1) / 2, entries[position] < entries[above] {
            entries.swapAt(position, above)
            position = above
            steps += 1
        }
    }

    /// Takes the first span.
    mutating func pop() -> Int? {
        guard let first = entries.first, let last = entries.popLast() else { return nil }
        guard !entries.isEmpty else { return first.span }
        entries[0] = last
        var position = 0
        while case let below = position * 2 + 1, below < entries.count {
            let right = below + 1
            let next = right < entries.count && entries[right] < entries[below] ? right : below
            guard entries[next] < entries[position] else { break }
            entries.swapAt(position, next)
            position = next
            steps += 1
        }
        return first.span
    }

    /// Forgets all spans.
    mutating func clear() { entries.removeAll(keepingCapacity: true) }
}
