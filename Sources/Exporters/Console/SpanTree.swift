import Basics
import OTLP

/// The spans of one trace that came together, parents before their children.
struct SpanTree {
    /// Deeper spans are shown at this depth.
    private static let depthMax = 32

    /// Each span with the lines drawn before it.
    let lines: [(prefix: String, span: SpanFacts)]

    /// Orders siblings by their start.
    ///
    /// A span whose parent is not among them is a root here; so is one of a circle of parents.
    init(_ spans: [SpanFacts]) {
        let sorted = spans.sorted { $0.start < $1.start }
        let known = Set(sorted.map(\.spanID))
        var children: [SpanID: [Int]] = [:]
        var roots: [Int] = []
        for (index, span) in sorted.enumerated() {
            if let parent = span.parentID, parent != span.spanID, known.contains(parent) {
                children[parent, default: []].append(index)
            } else {
                roots.append(index)
            }
        }
        var walk = Walk(spans: sorted, children: children)
        walk.visit(roots)
        for index in sorted.indices where !walk.isVisited[index] { walk.visit([index]) }
        lines = walk.lines
    }

    /// Goes down without recursion: a trace may be as deep as it has spans.
    private struct Walk {
        private struct Step {
            let index: Int
            let indent: String
            let isLast: Bool
            let depth: Int
        }

        let spans: [SpanFacts]
        let children: [SpanID: [Int]]
        var isVisited: [Bool]
        var lines: [(prefix: String, span: SpanFacts)] = []

        init(spans: [SpanFacts], children: [SpanID: [Int]]) {
            self.spans = spans
            self.children = children
            isVisited = Array(repeating: false, count: spans.count)
        }

        mutating func visit(_ roots: [Int]) {
            var stack = Self.steps(roots, indent: "", depth: 0)
            while let step = stack.popLast() {
                guard !isVisited[step.index] else { continue }
                isVisited[step.index] = true
                let span = spans[step.index]
                lines.append((step.indent + (step.isLast ? "└─ " : "├─ "), span))
                let isDeepest = step.depth == SpanTree.depthMax
                let indent = isDeepest ? step.indent : step.indent + (step.isLast ? "   " : "│  ")
                let next = children[span.spanID] ?? []
                stack += Self.steps(next, indent: indent, depth: isDeepest ? step.depth : step.depth + 1)
            }
        }

        /// In the order in which a stack gives them back.
        private static func steps(_ indices: [Int], indent: String, depth: Int) -> [Step] {
            indices.enumerated().reversed().map { position, index in
                Step(index: index, indent: indent, isLast: position == indices.count - 1, depth: depth)
            }
        }
    }
}
