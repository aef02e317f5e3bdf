import OTLP
import Pipeline

/// The spans of a whole trace whose parents a filter dropped in other requests, and who takes them.
struct Adoption {
    /// The spans with the parents that they get.
    private(set) var heads: [SpanHead]
    private(set) var links: [(span: Int, link: ParentLink)] = []
    /// Whether several spans would take the place of a dropped root: they stay below it, so that they can get one together.
    private(set) var lacksRoot = false
    /// What that root said of the trace.
    private(set) var remains: RootRemains?
    /// Spans that alone take the place of a dropped root, and what that said of the trace.
    private(set) var heirs: [(span: Int, remains: RootRemains)] = []

    /// - Parameters:
    ///   - heads: The spans as they came.
    ///   - tombstones: What is left of dropped spans; another missing parent is none of them.
    init(_ heads: [SpanHead], _ tombstones: [Tombstone]) {
        self.heads = heads
        guard !tombstones.isEmpty else { return }
        let dropped = Dictionary(tombstones.map { ($0.span, $0) }) { first, _ in first }
        let known = Set(heads.map(\.id))
        var ladder = Ladder(dropped, known)
        // Spans above which nothing of this process stays, by the dropped one that stood topmost, and those without any parent.
        var below: [SpanID: [Int]] = [:]
        var tops: [(span: Int, top: SpanID)] = []
        for (span, head) in heads.enumerated() {
            guard let parent = head.parent, !known.contains(parent), let first = dropped[parent] else { continue }
            let last = ladder.top(of: first)
            if last.parent == nil || last.isParentRemote { below[last.span, default: []].append(span) }
            if last.parent == nil {
                tops.append((span, last.span))
            } else {
                links.append((span, ParentLink(last.parent, isRemote: last.isParentRemote)))
            }
        }
        let root = heads.first { $0.parent == nil }?.id
        lacksRoot = root == nil && tops.count > 1
        links += tops.map { ($0.span, ParentLink(local: lacksRoot ? $0.top : root)) }
        for (span, link) in links { self.heads[span] = heads[span].adopted(by: link) }
        if lacksRoot {
            remains = tops.lazy.compactMap { dropped[$0.top]?.remains }.first
        } else {
            for (top, spans) in below where spans.count == 1 && (root == nil || dropped[top]?.parent != nil) {
                if let remains = dropped[top]?.remains { heirs.append((spans[0], remains)) }
            }
            heirs.sort { $0.span < $1.span }
        }
    }
}

/// Which dropped span stands topmost above each: however long their chains are, each is walked once.
private struct Ladder {
    private let dropped: [SpanID: Tombstone]
    /// Spans that stay.
    private let known: Set<SpanID>
    private var tops: [SpanID: Tombstone] = [:]

    init(_ dropped: [SpanID: Tombstone], _ known: Set<SpanID>) {
        (self.dropped, self.known) = (dropped, known)
    }

    /// The topmost of those above one; of a circle one of it, with nothing above.
    mutating func top(of first: Tombstone) -> Tombstone {
        var (last, walked) = (first, Set<SpanID>())
        while tops[last.span] == nil {
            guard walked.insert(last.span).inserted else {
                last = Tombstone(last.span, parent: nil)
                break
            }
            guard let next = last.parent, !known.contains(next), let above = dropped[next] else { break }
            last = above
        }
        let top = tops[last.span] ?? last
        for span in walked { tops[span] = top }
        return top
    }
}
