import Basics
import OTLP

/// The spans of a trace that nothing stands above, and what makes a tree of them.
struct TraceRepair {
    private let heads: [SpanHead]
    /// The first span without a parent; nil where there is none.
    let root: Int?
    /// Spans whose parents are missing, and one of each circle of parents, in the order of their starts.
    let orphans: [Int]
    /// Those of them whose parents are there, in a circle.
    private let circles: Set<Int>

    init(_ heads: [SpanHead]) {
        self.heads = heads
        let known = Dictionary(heads.indices.map { (heads[$0].id, $0) }) { first, _ in first }
        root = heads.firstIndex { $0.parent == nil }
        let circles = Self.circles(among: heads, known)
        self.circles = circles
        orphans = heads.indices.filter { index in
            circles.contains(index) || heads[index].parent.map { known[$0] == nil } ?? false
        }
        .sorted { Self.order(heads[$0]) < Self.order(heads[$1]) }
    }

    /// The span that starts first of each circle of parents, to which no other span leads.
    private static func circles(among heads: [SpanHead], _ known: [SpanID: Int]) -> Set<Int> {
        var walks = [Int](repeating: 0, count: heads.count)
        var circles: Set<Int> = []
        for start in heads.indices {
            var (span, walk) = (start, start + 1)
            while walks[span] == 0 {
                walks[span] = walk
                guard let next = heads[span].parent.flatMap({ known[$0] }) else {
                    walk = 0
                    break
                }
                span = next
            }
            // Where it meets itself.
            guard walk > 0, walks[span] == walk else { continue }
            var (first, other) = (span, span)
            repeat {
                if order(heads[other]) < order(heads[first]) { first = other }
                other = heads[other].parent.flatMap { known[$0] } ?? span
            } while other != span
            circles.insert(first)
        }
        return circles
    }

    /// The root, else the topmost span that starts first; zero where there are no spans.
    var top: Int {
        root ?? orphans.first ?? heads.indices.min { Self.order(heads[$0]) < Self.order(heads[$1]) } ?? 0
    }

    /// Gives a trace whose missing spans did not come one root, below which all others stand: the topmost span where there is only
    /// one, which keeps its parent's id, else the parent that most of them may share, as far as is known of it.
    ///
    /// A parent that comes later after all takes the place of the one that was created, because it has the same id.
    ///
    /// - Parameters:
    ///   - batch: The trace.
    ///   - remains: What a dropped root said of it, for the span that is created.
    /// - Returns: A request with the span that was created; nil where none was.
    func apply(to batch: inout SpanBatch, _ remains: RootRemains? = nil) -> [UInt8]? {
        if let root {
            move(orphans, below: heads[root].id, &batch)
            return nil
        }
        let missing = orphans.first { !circles.contains($0) }
        guard orphans.count > 1, let first = missing, let parent = heads[first].parent else {
            guard !heads.isEmpty else { return nil }
            move([top], below: nil, &batch)
            move(orphans.filter { $0 != top }, below: heads[top].id, &batch)
            return nil
        }
        move(orphans.filter { heads[$0].parent != parent }, below: parent, &batch)
        return created(parent, above: first, batch, remains)
    }

    /// Puts what stands in a circle below the root, where there is one; what waits for its parent stays as it is.
    func breakCircles(of batch: inout SpanBatch) {
        guard let root, !circles.isEmpty else { return }
        move(circles.sorted(), below: heads[root].id, &batch)
    }

    private func move(_ spans: [Int], below parent: SpanID?, _ batch: inout SpanBatch) {
        batch.setParents(spans.map { ($0, ParentLink(local: parent)) })
        for span in spans {
            guard let missing = heads[span].parent else { continue }
            batch.addAttribute("millrace.parent_span_id", to: .span(span)) { $0.string(missing.description) }
        }
    }

    /// A span of the service of another one, which it is named after, as long as the whole trace.
    private func created(
        _ id: SpanID,
        above span: Int,
        _ batch: borrowing SpanBatch,
        _ remains: RootRemains?
    ) -> [UInt8] {
        let entry = batch.spans[span]
        var start = heads.map(\.start).min() ?? 0
        if let before = remains?.start, before > 0 { start = min(start, before) }
        let end = max(heads.map { max($0.start, $0.end) }.max() ?? start, remains?.end ?? 0)
        var message: [UInt8] = []
        var ids: [UInt8] = []
        for word in [entry.traceID.high, entry.traceID.low, id.value] { ids.append(bigEndian: word) }
        message.append(field: 0x0A, Array(ids[..<16]))
        message.append(field: 0x12, Array(ids[16...]))
        message.append(field: 0x2A, batch.bytes[entry.name])
        // An internal span.
        message += [0x30, 1, 0x39]
        message.appendFixed64(start)
        message.append(0x41)
        message.appendFixed64(end)
        message.append(field: 0x4A, mark)
        if let remains { message += remains.exceptions + remains.status }
        var resource: [UInt8] = []
        for attribute in batch.resources[batch.scopes[entry.scope].resource].attributes {
            resource += batch.bytes[batch.attributes[attribute].field]
        }
        var scope: [UInt8] = []
        scope.append(field: 0x0A, scopeName)
        var spans: [UInt8] = []
        spans.append(field: 0x0A, scope)
        spans.append(field: 0x12, message)
        var group: [UInt8] = []
        group.append(field: 0x0A, resource)
        group.append(field: 0x12, spans)
        var request: [UInt8] = []
        request.append(field: 0x0A, group)
        return request
    }

    /// The attribute `millrace.created`, which is true.
    private var mark: [UInt8] {
        var mark: [UInt8] = []
        mark.append(field: 0x0A, Array("millrace.created".utf8))
        mark.append(field: 0x12, [0x10, 1])
        return mark
    }

    private var scopeName: [UInt8] { Array("millrace".utf8) }

    private static func order(_ head: SpanHead) -> (UInt64, UInt64) { (head.start, head.id.value) }
}

extension [UInt8] {
    /// Appends a length-delimited field.
    mutating func append(field tag: UInt8, _ content: some Collection<UInt8>) {
        append(tag)
        appendVarint(content.count)
        self += content
    }

    fileprivate mutating func append(bigEndian word: UInt64) {
        for shift in stride(from: UInt64(56), through: 0, by: -8) { append(UInt8(truncatingIfNeeded: word >> shift)) }
    }
}
