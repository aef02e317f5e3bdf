import Basics

extension TraceID {
    /// How long a trace id is in a request.
    static let byteCount = 16

    /// Reads the id at `offset`; 16 bytes must be there.
    @inline(__always)
    init(_ text: RawSpan, at offset: Int) {
        self.init(high: text.word(at: offset).byteSwapped, low: text.word(at: offset &+ 8).byteSwapped)
    }

    /// The traces of an export request in wire form, each once, in the order of their first units; none for metrics.
    ///
    /// Costs much less than a `Envelope`, because nothing is indexed or checked; a broken request gives those before
    /// the break.
    package static func all(in request: [UInt8], signal: Signal) -> [TraceID] {
        guard signal != .metrics else { return [] }
        var finder = TraceIDFinder()
        // The tags from the request down: resource, scope, unit, trace id.
        let path = [0x0A, 0x12, 0x12, signal.unitTags.traceID]
        try? finder.descend(into: 0..<request.count, path[...], request.span.bytes)
        return finder.ids
    }
}

/// Collects the trace ids of a request.
private struct TraceIDFinder {
    private(set) var ids: [TraceID] = []
    private var known: Set<TraceID> = []

    /// Walks the part of a message that the tags lead to.
    mutating func descend(into part: Range<Int>, _ path: ArraySlice<UInt32>, _ text: RawSpan) throws(WireError) {
        guard let next = path.first else {
            guard part.count == TraceID.byteCount, case let id = TraceID(text, at: part.lowerBound) else { return }
            if id.high | id.low != 0 { note(id) }
            return
        }
        var cursor = WireCursor(part)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: text)
            if tag == next {
                try descend(into: cursor.content(in: text), path.dropFirst(), text)
            } else {
                try cursor.skip(tag, in: text)
            }
        }
    }

    private mutating func note(_ id: TraceID) {
        guard id != ids.last, known.insert(id).inserted else { return }
        ids.append(id)
    }
}
