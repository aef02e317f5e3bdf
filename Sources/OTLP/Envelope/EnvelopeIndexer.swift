import Basics

/// Builds the tables of a `Envelope` in one pass over its bytes.
///
/// Broken frames (lengths, varints, groups) make the whole body unreadable and are thrown. What is wrong inside intact
/// frames is noted in `flaw` by the innermost function and taken from there by the unit, scope or resource around it.
struct EnvelopeIndexer: ~Copyable {
    /// How far to look into what is found.
    enum Depth {
        /// Everything is validated and stands in the tables.
        case full
        /// Only where resources, scopes and units stand, and the ids and data points of the units; nothing inside has a flaw.
        case frames
    }

    private(set) var limits: WireLimits
    private(set) var signal: Signal
    private(set) var depth: Depth
    var resources = Stack<ResourceEntry>(reserving: 1)
    var scopes = Stack<ScopeEntry>(reserving: 2)
    /// The units; empty where they are spans that are validated.
    var units: Stack<UnitEntry>
    /// The spans; empty for other signals, and where only frames are read.
    var spans: Stack<SpanEntry>
    var events = Stack<EventEntry>()
    var attributes: Stack<AttributeEntry>
    /// Whether no other field stands between two resources.
    var isDense = true
    /// Whether anything has a flaw, be it a resource or scope without spans.
    private(set) var isFlawed = false
    /// The next attribute of the unit before that may have the key of the next one of this unit.
    private(set) var twin = 0
    private var twinEnd = 0
    /// Bytes that the tables may still take.
    private(set) var room: Int
    /// The first flaw found since it was last taken.
    var flaw: SpanFlaw?

    init(_ text: RawSpan, _ signal: Signal, limits: WireLimits, depth: Depth) throws(WireError) {
        self.limits = limits
        self.signal = signal
        self.depth = depth
        room = limits.indexBytesMax
        let expected = min(text.byteCount / 512 + 8, limits.unitsMax)
        let holdsSpans = signal == .traces && depth == .full
        spans = Stack(reserving: holdsSpans ? expected : 0)
        units = Stack(reserving: holdsSpans ? 0 : expected)
        attributes = Stack(reserving: depth == .full ? text.byteCount / 64 + 8 : 0)
        guard text.byteCount < Int(Int32.max) else { throw .overLimit("the body is over 2 GiB") }
        var cursor = WireCursor(0..<text.byteCount)
        var lastEnd = 0
        while !cursor.isAtEnd {
            let start = cursor.offset
            let tag = try cursor.tag(in: text)
            if tag == 0x0A {
                if start != lastEnd, !resources.isEmpty { isDense = false }
                defer { lastEnd = cursor.offset }
                try resourceGroup(Frame(start: start, body: try cursor.content(in: text)), text)
            } else {
                try envelopeField(tag, lastKnown: 1, &cursor, text)
            }
        }
    }

    mutating func note(_ found: SpanFlaw) {
        guard depth == .full else { return }
        isFlawed = true
        if flaw == nil { flaw = found }
    }

    /// Starts to compare keys with those of the unit before.
    ///
    /// Never with those of an invalid one, so that an equal key needs no look at its letters.
    @inline(__always)
    mutating func expectTwins(of before: UnitEntry) {
        guard before.flaw == nil else { return endTwins() }
        twin = before.attributes.lowerBound
        twinEnd = before.attributes.upperBound
    }

    /// Compares no more keys.
    @inline(__always) mutating func endTwins() { twinEnd = twin }

    /// Whether the key in `range` is that of the unit before in the same place.
    @inline(__always)
    mutating func isTwin(_ range: Range<Int>, _ text: RawSpan) -> Bool {
        guard twin < twinEnd else { return false }
        guard text.isSame(range, as: text, attributes[twin].key) else {
            twinEnd = twin
            return false
        }
        twin &+= 1
        return true
    }

    @inline(__always) mutating func takeFlaw() -> SpanFlaw? {
        defer { flaw = nil }
        return flaw
    }

    /// Skips an unknown field of a message around units; a known one of another type leaves nothing to index.
    private func envelopeField(
        _ tag: UInt32,
        lastKnown: UInt32,
        _ cursor: inout WireCursor,
        _ text: RawSpan
    ) throws(WireError) {
        try cursor.skip(tag, in: text)
        guard tag >> 3 > lastKnown else {
            throw .malformed(offset: cursor.offset, reason: "field \(tag >> 3) has another type than OTLP gives it")
        }
    }

    /// Counts one more entry of `type` against the limit.
    @inline(__always)
    mutating func reserve<Entry>(_ type: Entry.Type) throws(WireError) {
        room &-= MemoryLayout<Entry>.stride
        guard room >= 0 else { throw .overLimit("more fields in one request than can be indexed") }
    }

    private mutating func resourceGroup(_ frame: Frame, _ text: RawSpan) throws(WireError) {
        try reserve(ResourceEntry.self)
        let index = resources.count
        var entry = ResourceEntry(frame: frame)
        resources.append(entry)
        entry.attributeRange = ShortRange(attributes.count, attributes.count)
        let firstScope = scopes.count
        var lastEnd = 0
        var cursor = WireCursor(frame.content)
        while !cursor.isAtEnd {
            let start = cursor.offset
            switch try cursor.tag(in: text) {
            case 0x0A:
                let part = Frame(start: start, body: try cursor.content(in: text))
                guard entry.resourceFrame == Frame() else {
                    entry.isSplit = true
                    continue
                }
                entry.resourceFrame = part
                try resource(part.content, index, &entry, text)
            case 0x12:
                let part = Frame(start: start, body: try cursor.content(in: text))
                if scopes.count > firstScope, start != lastEnd { entry.isDense = false }
                lastEnd = cursor.offset
                try scopeGroup(part, index, text)
            case 0x1A:
                if !text.isText(try cursor.content(in: text)) { note(.text) }
            case let tag:
                try envelopeField(tag, lastKnown: 3, &cursor, text)
            }
        }
        if entry.isSplit { try splitResource(index, &entry, text) }
        entry.scopeRange = ShortRange(firstScope, scopes.count)
        resources[index] = entry
        guard takeFlaw() != nil else { return }
        for scope in entry.scopes { flag(scopes[scope].units, .resource) }
    }

    /// Indexes all parts of a resource that is given in several, so that its attributes stand together.
    private mutating func splitResource(_ index: Int, _ entry: inout ResourceEntry, _ text: RawSpan) throws(WireError) {
        let first = attributes.count
        var cursor = WireCursor(entry.frame.content)
        while let part = try Self.nextPart(&cursor, text) { try resource(part, index, &entry, text) }
        entry.attributeRange = ShortRange(first, attributes.count)
    }

    /// The next part of a message's first field; nil at the end.
    private static func nextPart(_ cursor: inout WireCursor, _ text: RawSpan) throws(WireError) -> Range<Int>? {
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: text)
            if tag == 0x0A { return try cursor.content(in: text) }
            try cursor.skip(tag, in: text)
        }
        return nil
    }

    private mutating func resource(
        _ body: Range<Int>,
        _ index: Int,
        _ entry: inout ResourceEntry,
        _ text: RawSpan
    ) throws(WireError) {
        guard depth == .full else { return }
        let first = attributes.count
        let owner = Place.resource(index).packed
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            let start = cursor.offset
            switch try cursor.tag(in: text) {
            case 0x0A: try attributes(0x0A, from: start, &cursor, owner, text)
            case 0x10: _ = try cursor.varint(in: text)
            case 0x1A: try entityReference(try cursor.content(in: text), text)
            case let tag: try otherField(tag, lastKnown: 3, &cursor, text)
            }
        }
        entry.attributeRange = ShortRange(first, attributes.count)
    }

    /// `EntityRef` is strings only: `schema_url`, `type`, `id_keys`, `description_keys`.
    private mutating func entityReference(_ body: Range<Int>, _ text: RawSpan) throws(WireError) {
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x0A, 0x12, 0x1A, 0x22: if !text.isText(try cursor.content(in: text)) { note(.text) }
            case let tag: try otherField(tag, lastKnown: 4, &cursor, text)
            }
        }
    }

    private mutating func scopeGroup(_ frame: Frame, _ resource: Int, _ text: RawSpan) throws(WireError) {
        try reserve(ScopeEntry.self)
        let flawAround = takeFlaw()
        let index = scopes.count
        var entry = ScopeEntry(frame: frame, resourceIndex: Int32(truncatingIfNeeded: resource))
        entry.attributeRange = ShortRange(attributes.count, attributes.count)
        scopes.append(entry)
        let firstUnit = unitCount
        var scopeFlaw: SpanFlaw?
        var lastEnd = 0
        var cursor = WireCursor(frame.content)
        while !cursor.isAtEnd {
            let start = cursor.offset
            switch try cursor.tag(in: text) {
            case 0x12:
                let frame = Frame(start: start, body: try cursor.content(in: text))
                if start != lastEnd, unitCount > firstUnit { entry.isDense = false }
                lastEnd = cursor.offset
                try unit(frame, index, text)
            case 0x0A:
                let part = Frame(start: start, body: try cursor.content(in: text))
                guard entry.scopeFrame == Frame() else {
                    entry.isSplit = true
                    continue
                }
                entry.scopeFrame = part
                try scope(part.content, index, &entry, text)
                scopeFlaw = takeFlaw() ?? scopeFlaw
            case 0x1A:
                if !text.isText(try cursor.content(in: text)) { note(.text) }
                scopeFlaw = takeFlaw() ?? scopeFlaw
            case let tag:
                try envelopeField(tag, lastKnown: 3, &cursor, text)
            }
        }
        if entry.isSplit { try splitScope(index, &entry, text) }
        scopeFlaw = takeFlaw() ?? scopeFlaw
        entry.unitRange = ShortRange(firstUnit, unitCount)
        scopes[index] = entry
        if scopeFlaw != nil { flag(entry.units, .scope) }
        flaw = flawAround
    }

    /// Indexes all parts of a scope that is given in several, so that its attributes stand together.
    private mutating func splitScope(_ index: Int, _ entry: inout ScopeEntry, _ text: RawSpan) throws(WireError) {
        let first = attributes.count
        var cursor = WireCursor(entry.frame.content)
        while let part = try Self.nextPart(&cursor, text) { try scope(part, index, &entry, text) }
        entry.attributeRange = ShortRange(first, attributes.count)
    }

    private mutating func scope(
        _ body: Range<Int>,
        _ index: Int,
        _ entry: inout ScopeEntry,
        _ text: RawSpan
    ) throws(WireError) {
        guard depth == .full else { return }
        let first = attributes.count
        let owner = Place.scope(index).packed
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            let start = cursor.offset
            switch try cursor.tag(in: text) {
            case 0x0A: entry.nameRange = try string(&cursor, text)
            case 0x12: entry.versionRange = try string(&cursor, text)
            case 0x1A: try attributes(0x1A, from: start, &cursor, owner, text)
            case 0x20: _ = try cursor.varint(in: text)
            case let tag: try otherField(tag, lastKnown: 4, &cursor, text)
            }
        }
        entry.attributeRange = ShortRange(first, attributes.count)
    }

    /// Indexes one unit, as far as `depth` says.
    @inline(__always)
    private mutating func unit(_ frame: Frame, _ scope: Int, _ text: RawSpan) throws(WireError) {
        guard depth == .full else { return try unitFrame(frame, scope, signal, text) }
        if signal == .traces { try span(frame, scope, text) } else { try unit(frame, scope, signal, text) }
    }

    /// How many units were found so far; one of the two has none.
    @inline(__always) private var unitCount: Int { spans.count &+ units.count }

    /// An entry for the next unit.
    @inline(__always)
    mutating func newUnit<Entry>(_ frame: Frame, _ scope: Int, in _: Entry.Type) throws(WireError) -> UnitEntry {
        guard unitCount < limits.unitsMax else {
            throw .overLimit("more than \(limits.unitsMax) \(signal.units) in one request")
        }
        try reserve(Entry.self)
        var entry = UnitEntry()
        entry.frame = frame
        entry.scopeIndex = Int32(truncatingIfNeeded: scope)
        return entry
    }

    private mutating func flag(_ range: Range<Int>, _ found: SpanFlaw) {
        for index in range {
            if spans.isEmpty {
                units[index].flaw = units[index].flaw ?? found
            } else {
                spans[index].unit.flaw = spans[index].flaw ?? found
            }
        }
    }
}
