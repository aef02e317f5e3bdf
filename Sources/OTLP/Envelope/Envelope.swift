package import Basics

// A request is never decoded into objects. One pass builds flat tables of where everything stands (`EnvelopeIndexer`),
// processors mark what should change, and one pass writes the result by copying ranges (`Envelope+Encoding`). What was
// not marked leaves byte for byte as it came, unknown fields included.

/// One export request of any signal, indexed, with the marks that processors have made.
///
/// What is kept, removed, routed and divided as one is a unit: a span, a log record, or a metric with its data points. What is
/// counted are the items of the signal: spans, log records, data points.
///
/// Where protobuf lets a field be given several times, the tables show what decoders see: the last one counts, parts of a
/// resource, scope or status are merged. Only an attribute value given in parts shows its last part.
@usableFromInline
package struct Envelope: Sendable {
    package let signal: Signal
    /// The request in protobuf wire form (`Export…ServiceRequest`), as it came.
    package let bytes: [UInt8]
    /// The spans; empty for other signals, and where only frames were read.
    package internal(set) var spans: Table<SpanEntry>
    /// The units where they are no `spans`.
    private let units: Table<UnitEntry>
    /// How many units there are.
    package let unitCount: Int
    /// How many items they count for.
    package let itemCount: Int
    package private(set) var scopes: Table<ScopeEntry>
    package private(set) var resources: Table<ResourceEntry>
    /// The attributes of everything; those of one span, event, scope or resource stand together.
    package private(set) var attributes: Table<AttributeEntry>
    package private(set) var events: Table<EventEntry>
    /// Whether no other field stands between two resources.
    let isDense: Bool
    /// Bytes that the tables take.
    package let indexBytes: Int
    /// The tag of the field that holds a unit's own attributes.
    @usableFromInline let unitAttributesTag: UInt8
    /// What processors want changed.
    @usableFromInline var marks: EnvelopeMarks

    /// Indexes and validates a request.
    ///
    /// Units with a flaw are removed as `.invalid` at once, the others stay; so nothing invalid ever leaves.
    package init(
        _ bytes: [UInt8],
        signal: Signal = .traces,
        limits: WireLimits = .standard
    ) throws(WireError) {
        try self.init(bytes, signal, limits, .full)
    }

    /// Indexes a request that was validated before, as far as grouping its units needs.
    ///
    /// Of each unit there are only its ids, its items and its size; attributes, `spans` and `events` stay empty, and nothing has
    /// a flaw. Throws where the frames or the fields of a unit are broken, whatever is inside those.
    package init(
        framesOf bytes: [UInt8],
        signal: Signal = .traces,
        limits: WireLimits = .standard
    ) throws(WireError) {
        try self.init(bytes, signal, limits, .frames)
    }

    private init(
        _ bytes: [UInt8],
        _ signal: Signal,
        _ limits: WireLimits,
        _ depth: EnvelopeIndexer.Depth
    ) throws(WireError) {
        let indexer = try EnvelopeIndexer(bytes.span.bytes, signal, limits: limits, depth: depth)
        self.signal = signal
        self.bytes = bytes
        unitAttributesTag = UInt8(truncatingIfNeeded: signal.unitTags.attributes)
        isDense = indexer.isDense
        indexBytes = limits.indexBytesMax - indexer.room
        marks = EnvelopeMarks()
        marks.isForced = indexer.isFlawed
        spans = Table(indexer.spans)
        units = Table(indexer.units)
        unitCount = spans.count + units.count
        itemCount = signal == .metrics ? units.reduce(0) { $0 + $1.items } : unitCount
        scopes = Table(indexer.scopes)
        resources = Table(indexer.resources)
        attributes = Table(indexer.attributes)
        events = Table(indexer.events)
        guard marks.isForced else { return }
        for index in 0..<unitCount where unit(index).flaw != nil { remove(index, as: .invalid) }
    }

    /// The unit of that number; traps outside of `unitCount`.
    @inline(__always)
    package func unit(_ index: Int) -> UnitEntry { spans.isEmpty ? units[index] : spans[index].unit }

    /// Steps of work that decoding and indexing took: one for each unit, attribute and event, and for 16 bytes.
    package var indexSteps: Int { unitCount + attributes.count + events.count + bytes.count / 16 }

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

    /// The resource of a unit in wire form, the first part where it is given in parts; empty where it is missing.
    package func resource(ofUnit index: Int) -> ArraySlice<UInt8> {
        bytes[resources[scopes[unit(index).scope].resource].resourceFrame.content]
    }

    /// The attributes of a place, as indices into `attributes`.
    package func attributes(of place: Place) -> Range<Int> {
        switch place {
        case .resource(let index): resources[index].attributes
        case .scope(let index): scopes[index].attributes
        case .span(let index): unit(index).attributes
        case .event(let index): events[index].attributes
        }
    }
}

extension RawSpan {
    /// The last attribute of that key among `range`, as a decoder would see it.
    package func attribute(_ key: [UInt8], in range: Range<Int>, of batch: borrowing Envelope) -> Int? {
        for index in range.reversed() where equals(key, batch.attributes[index].key) { return index }
        return nil
    }
}
