import OTLP
import Pipeline

/// The spans of a whole trace whose parents a filter dropped in other requests, and who takes them.
struct Adoption {
    /// The spans with the parents that they get.
    private(set) var heads: [SpanHead]
    private(set) var links: [(span: Int, link: ParentLink)] = []
    /// Whether several spans would take the place of a dropped root: they stay below it, so that they can get one together.
    private(set) var lacksRoot = false

    /// - Parameters:
    ///   - heads: The spans as they came.
    ///   - tombstones: What is left of dropped spans; another missing parent is none of them.
    init(_ heads: [SpanHead], _ tombstones: [Tombstone]) {
        self.heads = heads
        guard !tombstones.isEmpty else { return }
        let dropped = Dictionary(tombstones.map { ($0.span, $0) }) { first, _ in first }
        let known = Set(heads.map(\.id))
        // Spans above which nothing stays, and the dropped one that stood topmost.
        var heirs: [(span: Int, top: SpanID)] = []
        for (span, head) in heads.enumerated() {
            guard let parent = head.parent, !known.contains(parent), let first = dropped[parent] else { continue }
            var (last, steps) = (first, 0)
            while let next = last.parent, !known.contains(next), let above = dropped[next], steps < dropped.count {
                (last, steps) = (above, steps + 1)
            }
            if last.parent != nil, steps < dropped.count {
                links.append((span, ParentLink(last.parent, isRemote: last.isParentRemote)))
            } else {
                // A circle of dropped spans has nothing above.
                heirs.append((span, steps < dropped.count ? last.span : first.span))
            }
        }
        let root = heads.first { $0.parent == nil }?.id
        lacksRoot = root == nil && heirs.count > 1
        links += heirs.map { ($0.span, ParentLink(local: lacksRoot ? $0.top : root)) }
        for (span, link) in links { self.heads[span] = heads[span].adopted(by: link) }
    }
}
