/// The spans of one trace, and how they stand below its root.
package struct TraceOutline: Sendable {
    package let spans: [TraceSpan]
    /// The position of the root.
    package let root: Int
    let tree: TraceTree

    /// - Parameters:
    ///   - spans: The spans of one trace.
    ///   - root: The position of its root.
    package init(_ spans: [TraceSpan], root: Int) {
        self.spans = spans
        self.root = root
        tree = TraceTree(spans, root: root)
    }

    /// The span that names a trace whose root says nothing: the first outermost agent, workflow or conversation.
    package func namingSpan(steps: inout Int) -> Int? {
        var queue = SpanQueue()
        defer { steps += queue.steps }
        var current: Int? = root
        while let span = current {
            steps += 1
            let isNaming = [.agent, .model].contains(spans[span].kind) || !spans[span].says.isEmpty
            switch spans[span].kind {
            case .tool, .aside: break
            case .agent, .model, .other:
                if isNaming, span != root { return span }
                for child in tree.children(of: span) {
                    queue.push(Int(child), rank: spans[Int(child)].start, order: Int(child))
                }
            }
            current = queue.pop()
        }
        return nil
    }
}
