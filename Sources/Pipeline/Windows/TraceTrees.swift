import Basics
package import OTLP

/// The traces of a request in which they stand one behind the other, each with a root and without circles of parents.
package struct TraceTrees: Sendable {
    package struct Tree: Sendable {
        package let spans: Range<Int>
        /// The first span without a parent.
        package let top: Int
        /// Whether every parent is among the spans that does not say that it is in another process.
        package let isComplete: Bool
    }

    /// Spans of a trace, at most: parents are looked for one by one.
    private static let spansMax = 64

    package private(set) var list: [Tree] = []

    /// Nil where a trace has no root, has a circle of parents, is large, or comes twice.
    package init?(_ batch: borrowing SpanBatch) {
        var start = 0
        var known: Set<TraceID> = []
        while start < batch.spans.count {
            let id = batch.spans[start].traceID
            var end = start + 1
            while end < batch.spans.count, batch.spans[end].traceID == id { end += 1 }
            guard known.insert(id).inserted, end - start <= Self.spansMax,
                let tree = Self.tree(of: start..<end, batch)
            else { return nil }
            list.append(tree)
            start = end
        }
    }

    private static func tree(of spans: Range<Int>, _ batch: borrowing SpanBatch) -> Tree? {
        var top: Int?
        var isComplete = true
        for span in spans {
            guard let parent = batch.spans[span].parentID else {
                top = top ?? span
                continue
            }
            // From most spans one step leads to a root.
            var (next, steps) = (Optional(parent), 0)
            while let wanted = next {
                steps += 1
                guard steps <= spans.count else { return nil }
                guard let found = spans.first(where: { batch.spans[$0].spanID == wanted }) else {
                    if steps == 1, !batch.spans[span].isParentRemote { isComplete = false }
                    break
                }
                next = batch.spans[found].parentID
            }
        }
        return top.map { Tree(spans: spans, top: $0, isComplete: isComplete) }
    }
}
