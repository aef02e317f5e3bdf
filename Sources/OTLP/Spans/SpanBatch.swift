package import Basics

// A request is never decoded into objects. One pass builds flat tables of where everything stands (`SpanIndexer`),
// processors mark what should change, and one pass writes the result by copying ranges (`SpanBatch+Encoding`). What was
// not marked leaves byte for byte as it came, unknown fields included.

/// One export request of spans, indexed, with the marks that processors have made.
///
/// Where protobuf lets a field be given several times, the tables show what decoders see: the last one counts, parts of a
/// resource, scope or status are merged. Only an attribute value given in parts shows its last part.
@usableFromInline
package struct SpanBatch: Sendable {
    /// The request in protobuf wire form (`ExportTraceServiceRequest`), as it came.
    package let bytes: [UInt8]
    package private(set) var spans: Table<SpanEntry>
    package private(set) var scopes: Table<ScopeEntry>
    package private(set) var resources: Table<ResourceEntry>
    /// The attributes of everything; those of one span, event, scope or resource stand together.
    package private(set) var attributes: Table<AttributeEntry>
    package private(set) var events: Table<EventEntry>
    /// Whether no other field stands between two resources.
    let isDense: Bool
    /// Bytes that the tables take.
    package let indexBytes: Int
    /// What processors want changed.
    @usableFromInline var marks: BatchMarks

    /// Indexes and validates a request.
    ///
    /// Spans with a flaw are removed as `.invalid` at once, the others stay; so nothing invalid ever leaves.
    package init(_ bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) {
        try self.init(bytes, limits, .full)
    }

    /// Indexes a request that was validated before, as far as grouping its spans needs.
    ///
    /// Of each span there are only its ids and its size; names, times, attributes and events stay empty, and no span has a
    /// flaw. Throws where the frames or the fields of a span are broken, whatever is inside those.
    package init(framesOf bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) {
        try self.init(bytes, limits, .frames)
    }

    private init(_ bytes: [UInt8], _ limits: WireLimits, _ depth: SpanIndexer.Depth) throws(WireError) {
        let indexer = try SpanIndexer(bytes.span.bytes, limits: limits, depth: depth)
        self.bytes = bytes
        isDense = indexer.isDense
        indexBytes = limits.indexBytesMax - indexer.room
        marks = BatchMarks()
        marks.isForced = indexer.isFlawed
        spans = Table(indexer.spans)
        scopes = Table(indexer.scopes)
        resources = Table(indexer.resources)
        attributes = Table(indexer.attributes)
        events = Table(indexer.events)
        guard marks.isForced else { return }
        for index in spans.indices where spans[index].flaw != nil { remove(index, as: .invalid) }
    }

    /// Steps of work that decoding and indexing took: one for each span, attribute and event, and for 16 bytes.
    package var indexSteps: Int { spans.count + attributes.count + events.count + bytes.count / 16 }

    /// The bytes of `range` as text.
    package func text(_ range: Range<Int>) -> String { bytes.span.bytes.text(range) }

    /// Whether the bytes of `range` are exactly `word`.
    package func equals(_ word: StaticString, _ range: Range<Int>) -> Bool { bytes.span.bytes.equals(word, range) }

    /// The value of an attribute; containers as ranges to walk with `forEachElement` and `forEachMember`.
    package func value(of attribute: Int) -> AttributeValue {
        AttributeValue(attributes[attribute].value, in: bytes.span.bytes)
    }

    /// The first attribute of that key among `range`.
    ///
    /// Compares one by one; where many keys are looked for, use a `KeyTable`.
    package func attribute(_ key: StaticString, in range: Range<Int>) -> Int? {
        let text = bytes.span.bytes
        for index in range where text.equals(key, attributes[index].key) { return index }
        return nil
    }

    /// The attributes of a place, as indices into `attributes`.
    package func attributes(of place: Place) -> Range<Int> {
        switch place {
        case .resource(let index): resources[index].attributes
        case .scope(let index): scopes[index].attributes
        case .span(let index): spans[index].attributes
        case .event(let index): events[index].attributes
        }
    }
}

extension RawSpan {
    /// The last attribute of that key among `range`, as a decoder would see it.
    package func attribute(_ key: [UInt8], in range: Range<Int>, of batch: borrowing SpanBatch) -> Int? {
        for index in range.reversed() where equals(key, batch.attributes[index].key) { return index }
        return nil
    }
}
