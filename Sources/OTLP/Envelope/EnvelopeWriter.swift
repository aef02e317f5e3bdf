import Basics

/// Walks the units that are kept and puts their request together.
struct EnvelopeWriter: ~Copyable {
    let batch: Envelope
    /// The units to write, in their order.
    private let kept: ArraySlice<Int32>
    /// The next of `kept`.
    private var next: Int
    /// The edits of one owner, in the order of the bytes; kept for its capacity.
    var scratch: [Int32] = []
    var assembly: ByteAssembly
    /// Fields looked at one by one so far.
    var steps = 0
    /// Whether fields beside the resources are written.
    private let withOthers: Bool
    /// Which data points of the one unit are written, a metric; nil for all.
    private let points: PointRun?

    init(_ batch: Envelope, _ kept: ArraySlice<Int32>, withOthers: Bool, points: PointRun? = nil) {
        self.batch = batch
        self.points = points
        self.withOthers = withOthers
        self.kept = kept
        next = kept.startIndex
        let share = batch.marks.edits.count * kept.count / max(1, batch.unitCount)
        assembly = ByteAssembly(reservingPieces: share * 3 + 64)
    }

    /// Writes everything.
    mutating func request() {
        let resources = batch.resources
        let end = Int32(truncatingIfNeeded: batch.bytes.count)
        let siblings = Siblings(
            number: 1,
            frames: batch.isDense ? (resources.first?.frame, resources.last?.frame) : nil
        )
        var cursor: Int32 = 0
        while let unit = nextUnit {
            let index = batch.scopes[batch.unit(unit).scope].resource
            if withOthers { rest(cursor, resources[index].frame.start, siblings) }
            resourceGroup(index)
            cursor = resources[index].frame.end
        }
        if withOthers { rest(cursor, end, siblings) }
    }

    private var nextUnit: Int? { next < kept.endIndex ? Int(kept[next]) : nil }

    private mutating func resourceGroup(_ index: Int) {
        let entry = batch.resources[index]
        let message = assembly.open(0x0A)
        let edits = batch.marks.resourceEdits.head(index)
        if edits >= 0 { envelope(edits, in: entry.frame, entry.resourceFrame, isSplit: entry.isSplit) }
        let frames = (batch.scopes[entry.scopes.lowerBound].frame, batch.scopes[entry.scopes.upperBound - 1].frame)
        let siblings = Siblings(number: 2, frames: entry.isDense ? frames : nil, dropsEnvelope: edits >= 0)
        var cursor = entry.frame.body
        while let unit = nextUnit, case let scope = batch.unit(unit).scope, scope < entry.scopes.upperBound {
            rest(cursor, batch.scopes[scope].frame.start, siblings)
            scopeGroup(scope)
            cursor = batch.scopes[scope].frame.end
        }
        rest(cursor, entry.frame.end, siblings)
        assembly.close(message, original: entry.frame)
    }

    private mutating func scopeGroup(_ index: Int) {
        let entry = batch.scopes[index]
        let message = assembly.open(0x12)
        let edits = batch.marks.scopeEdits.head(index)
        if edits >= 0 { envelope(edits, in: entry.frame, entry.scopeFrame, isSplit: entry.isSplit) }
        let frames = (batch.unit(entry.units.lowerBound).frame, batch.unit(entry.units.upperBound - 1).frame)
        let siblings = Siblings(number: 2, frames: entry.isDense ? frames : nil, dropsEnvelope: edits >= 0)
        var cursor = entry.frame.body
        while let unit = nextUnit, unit < entry.units.upperBound {
            let frame = batch.unit(unit).frame
            rest(cursor, frame.start, siblings)
            let edits = batch.marks.unitEdits.head(unit)
            if let points {
                metric(frame, points)
            } else if edits < 0 {
                assembly.copy(frame.start, frame.end)
            } else {
                editedUnit(frame, edits)
            }
            cursor = frame.end
            next += 1
        }
        rest(cursor, entry.frame.end, siblings)
        assembly.close(message, original: entry.frame)
    }

    /// What stands among the children of one message.
    private struct Siblings {
        /// The field number of the children.
        let number: Int
        /// The first and the last child, where no other field stands between them.
        var frames: (first: Frame?, last: Frame?)?
        /// Whether field 1 was written already, with its edits.
        var dropsEnvelope = false
    }

    /// Copies what stands beside the kept children from `start` to `end`: everything but dropped children.
    private mutating func rest(_ start: Int32, _ end: Int32, _ siblings: Siblings) {
        guard start < end else { return }
        guard let frames = siblings.frames, let first = frames.first, let last = frames.last else {
            return walk(start, end, siblings)
        }
        if start < first.start { walk(start, min(end, first.start), siblings) }
        if max(start, first.start) < min(end, last.end) { assembly.touch() }
        if end > last.end { walk(max(start, last.end), end, siblings) }
    }

    private mutating func walk(_ start: Int32, _ end: Int32, _ siblings: Siblings) {
        let body = batch.bytes
        let text = body.span.bytes
        var reader = WireReader(Int(start)..<Int(end))
        while let field = try? reader.next(in: text) {
            steps &+= 1
            if field.number == siblings.number || field.number == 1 && siblings.dropsEnvelope {
                assembly.touch()
            } else {
                let range = ShortRange(field.field)
                assembly.copy(range.start, range.end)
            }
        }
    }
}
