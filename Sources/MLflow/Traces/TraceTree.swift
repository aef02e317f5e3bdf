import OTLP

/// The spans below one root, as a tree of positions in a list.
struct TraceTree: Sendable {
    /// By span: where its children start in `children`; one more at the end.
    private let offsets: [Int32]
    private let children: [Int32]
    private let parents: [Int32]

    /// - Parameters:
    ///   - spans: The spans of one trace.
    ///   - root: The position of a root.
    init(_ spans: [TraceSpan], root: Int) {
        let parents = Self.parents(spans, root: root)
        var counts = [Int32](repeating: 0, count: spans.count + 1)
        for parent in parents where parent >= 0 { counts[Int(parent) + 1] += 1 }
        for index in spans.indices { counts[index + 1] += counts[index] }
        var ends = counts
        var children = [Int32](repeating: 0, count: Int(counts[spans.count]))
        for (index, parent) in parents.enumerated() where parent >= 0 {
            children[Int(ends[Int(parent)])] = Int32(truncatingIfNeeded: index)
            ends[Int(parent)] += 1
        }
        (offsets, self.children, self.parents) = (counts, children, parents)
    }

    /// Whether one span stands above another that is below the root.
    func stands(_ span: Int, above other: Int) -> Bool {
        var current = Int(parents[other])
        while current >= 0, current != span { current = Int(parents[current]) }
        return current == span
    }

    /// The spans right below one.
    func children(of span: Int) -> ArraySlice<Int32> { children[Int(offsets[span])..<Int(offsets[span + 1])] }

    /// By span: the span above it; -1 for a root.
    ///
    /// A span whose parent is missing counts as below the one root of its trace.
    private static func parents(_ spans: [TraceSpan], root: Int) -> [Int32] {
        let isOnlyRoot = !spans.indices.contains { $0 != root && spans[$0].parent == nil }
        let stray: Int32 = isOnlyRoot ? Int32(truncatingIfNeeded: root) : -1
        // The first of spans that share an id is the parent of all below it.
        let known = spans.count <= fewMax ? [:] : Dictionary(zip(spans.map(\.id), spans.indices)) { first, _ in first }
        return spans.indices.map { index in
            guard let parent = spans[index].parent, index != root else { return -1 }
            let found = spans.count <= fewMax ? spans.firstIndex { $0.id == parent } : known[parent]
            guard let found else { return stray }
            return found == index ? -1 : Int32(truncatingIfNeeded: found)
        }
    }

    /// Spans among which an id is found quickest by comparing it with all of them.
    private static let fewMax = 8
}
