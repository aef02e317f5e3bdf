import Basics
import OTLP

/// What a filter decides about a unit.
enum Fate: Equatable {
    case kept, dropped, droppedWithParent
    /// An earlier processor has removed it.
    case gone
}

/// Who stands above whom among the spans of one request, and which of them go.
///
/// Every walk is linear in the request, however deep its trees are and whatever circles there are in them.
struct Lineage {
    /// What stands above a dropped span.
    private enum Above {
        /// A span that stays.
        case kept(Int)
        /// Nothing, above the topmost dropped one.
        case nothing(top: Int)
    }

    /// How the spans that stay are put together again.
    struct Reconnection {
        /// Spans whose parent goes, with the one that they get.
        var links: [(span: Int, link: ParentLink)] = []
        /// Dropped roots that stay without content, because several spans would take their place.
        var thinned: [Int] = []
        /// The one span that takes the place of a dropped root.
        var heirs: [(heir: Int, top: Int)] = []
    }

    private struct Key: Hashable {
        let trace: TraceID
        let span: SpanID
    }

    private let spans: [(trace: TraceID, id: SpanID, link: ParentLink)]
    private var fates: [Fate]
    private var positions: [Key: Int]

    init(of batch: borrowing SpanBatch, _ fates: [Fate]) {
        self.fates = fates
        var spans: [(TraceID, SpanID, ParentLink)] = []
        spans.reserveCapacity(fates.count)
        positions = Dictionary(minimumCapacity: fates.count)
        for span in fates.indices {
            let entry = batch.spans[span]
            spans.append((entry.traceID, entry.spanID, batch.parentLink(of: span)))
            if fates[span] != .gone { positions[Key(trace: entry.traceID, span: entry.spanID)] = span }
        }
        self.spans = spans
    }

    /// The span above, where it is in the request.
    private func parent(of span: Int) -> Int? {
        spans[span].link.id.flatMap { positions[Key(trace: spans[span].trace, span: $0)] }
    }

    /// The fates, with that of spans below dropped ones.
    mutating func droppingDescendants() -> [Fate] {
        var isSettled = [Bool](repeating: false, count: fates.count)
        for span in fates.indices where fates[span] != .gone {
            var path: [Int] = []
            var next: Int? = span
            while let step = next, !isSettled[step] {
                isSettled[step] = true
                path.append(step)
                next = parent(of: step)
            }
            var isBelow = next.map { fates[$0] == .dropped || fates[$0] == .droppedWithParent } ?? false
            for step in path.reversed() {
                if fates[step] == .dropped { isBelow = true } else if isBelow { fates[step] = .droppedWithParent }
            }
        }
        return fates
    }

    /// How the spans that stay are connected.
    mutating func reconnection() -> Reconnection {
        var above = [Above?](repeating: nil, count: fates.count)
        var plan = Reconnection()
        // The spans that would take the place of each dropped top.
        var heirs: [Int: [Int]] = [:]
        for span in fates.indices where fates[span] == .kept {
            guard let parent = parent(of: span), fates[parent] == .dropped else { continue }
            switch resolve(parent, &above) {
            // A circle leads back to the span itself.
            case .kept(let ancestor):
                plan.links.append((span, ParentLink(local: ancestor == span ? nil : spans[ancestor].id)))
            case .nothing(let top): heirs[top, default: []].append(span)
            }
        }
        for (top, spans) in heirs.sorted(by: { $0.key < $1.key }) { place(spans, below: top, &plan) }
        return plan
    }

    private func place(_ heirs: [Int], below top: Int, _ plan: inout Reconnection) {
        let link = spans[top].link
        let isEntry = link.id == nil || link.isRemote
        if isEntry, heirs.count > 1 {
            plan.thinned.append(top)
            let below = ParentLink(local: spans[top].id)
            plan.links += heirs.filter { spans[$0].link.id != below.id }.map { ($0, below) }
            return
        }
        plan.links += heirs.map { ($0, link) }
        if isEntry, let heir = heirs.first { plan.heirs.append((heir, top)) }
    }

    /// What stands above a dropped span; a circle of dropped spans has nothing above.
    private func resolve(_ span: Int, _ above: inout [Above?]) -> Above {
        var path: [Int] = []
        var next = span
        var found: Above?
        while found == nil {
            if let known = above[next] {
                found = known
            } else {
                path.append(next)
                // For a walk that comes back here.
                above[next] = .nothing(top: next)
                guard let parent = parent(of: next) else {
                    found = .nothing(top: next)
                    break
                }
                if fates[parent] == .dropped { next = parent } else { found = .kept(parent) }
            }
        }
        let result = found ?? .nothing(top: span)
        for step in path { above[step] = result }
        return result
    }
}
