import Basics

extension Envelope {
    /// Takes a unit out; one that is out keeps its first reason.
    package mutating func remove(_ unit: Int, as removal: Removal) {
        marks.remove(unit, of: unitCount, counting: self.unit(unit).items, as: removal)
    }

    /// Why a unit is out; nil while it stays.
    @inlinable @inline(__always)
    package func removal(of unit: Int) -> Removal? {
        marks.removals.isEmpty ? nil : Removal(rawValue: marks.removals[unit])
    }

    /// How many items are out for that reason.
    package func removedCount(_ removal: Removal) -> Int { marks.removedCounts[Int(removal.rawValue)] }

    /// How many items are still in.
    package var keptCount: Int { itemCount - marks.removedCount }

    /// Chooses the output that a unit goes to; without a choice it is group 0.
    package mutating func assign(_ unit: Int, to group: UInt16) {
        marks.assign(unit, of: unitCount, to: group)
    }

    /// The output that a unit goes to.
    package func group(of unit: Int) -> UInt16 { marks.groups.isEmpty ? 0 : marks.groups[unit] }

    /// How many units a group has, removed ones included.
    func unitCount(of group: UInt16) -> Int {
        if marks.groups.isEmpty { return group == 0 ? unitCount : 0 }
        return Int(group) < marks.groupCounts.count ? marks.groupCounts[Int(group)] : 0
    }

    /// Takes an attribute out; stronger than `renameAttribute`.
    package mutating func removeAttribute(_ attribute: Int) {
        append(attributes[attribute].fieldRange, to: attributes[attribute].place)
    }

    /// Gives an attribute another key; the value and unknown fields stay as they are.
    package mutating func renameAttribute(_ attribute: Int, to key: String) {
        let entry = attributes[attribute]
        let body = bytes
        let tag = attributesTag(of: entry.place)
        prepare()
        append(entry.fieldRange, to: entry.place)
        marks.builder.renamed(key, entry.field, as: tag, in: body.span.bytes)
    }

    /// Puts an attribute behind the others of its place; a key that is there already is not looked for.
    ///
    /// `bytes` is about how many the value takes; a wrong guess costs time only.
    @inlinable @inline(__always)
    package mutating func addAttribute(
        _ key: StaticString,
        to place: Place,
        expecting bytes: Int = 0,
        _ build: (inout ValueBuilder) -> Void
    ) {
        addAttribute(keySize: key.utf8CodeUnitCount, to: place, expecting: bytes, build) { $0.letters(key) }
    }

    /// Puts an attribute behind the others of its place; a key that is there already is not looked for.
    package mutating func addAttribute(named key: String, to place: Place, _ build: (inout ValueBuilder) -> Void) {
        addAttribute(keySize: key.utf8.count, to: place, expecting: 0, build) { $0.letters(key) }
    }

    /// Puts an attribute that is a text behind the others of its place.
    ///
    /// Its UTF-8 stands in `range` of `text`; the caller knows that it is well-formed.
    @inlinable @inline(__always)
    package mutating func addAttribute(_ key: StaticString, to place: Place, _ text: RawSpan, _ range: Range<Int>) {
        beginAddition(to: place)
        let keySize = key.utf8CodeUnitCount
        let size = range.count
        let tag = attributesTag(of: place)
        marks.builder.bytes.write(atMost: keySize &+ size &+ 48) { writer in
            if keySize &+ size < 0x7A {
                writer.shortField(tag, length: keySize &+ size &+ 6)
                writer.shortField(0x0A, length: keySize)
                writer.letters(key)
                writer.shortField(0x12, length: size &+ 2)
                writer.shortField(0x0A, length: size)
                return writer.bytes(text, range)
            }
            let valueSize = 1 &+ varintSize(size) &+ size
            writer.field(
                tag,
                length: 1 + varintSize(keySize) + keySize + 1 + varintSize(valueSize) + valueSize
            )
            writer.field(0x0A, length: keySize)
            writer.letters(key)
            writer.field(0x12, length: valueSize)
            writer.field(0x0A, length: size)
            writer.bytes(text, range)
        }
    }

    /// Puts attributes behind the others of their place that another span got before: fields as `withAddedBytes` showed them,
    /// in `range` of `fields`.
    @inlinable @inline(__always)
    package mutating func addAttributes(to place: Place, _ fields: RawSpan, _ range: Range<Int>) {
        beginAddition(to: place)
        marks.builder.bytes.write(atMost: range.count) { $0.bytes(fields, range) }
    }

    /// Whether anything was marked, so that it has to be written anew.
    package var isMarked: Bool { !marks.isEmpty || !marks.groups.isEmpty }

    /// How many bytes were added to all places.
    ///
    /// Mutating, as it is asked for every span: a call that borrows would copy the batch's fields.
    package var addedBytes: Int {
        mutating get { marks.builder.count }
    }

    /// What was added since there were `count` bytes, none of them long texts of the body.
    package func withAddedBytes(from count: Int, _ read: (RawSpan) -> Void) {
        marks.builder.withBytes(from: count, read)
    }

    /// What was marked up to some moment.
    package struct Checkpoint: Sendable {
        fileprivate let edits: Int
        /// How many bytes were added to all places.
        package let addedBytes: Int
        fileprivate let latestEnd: UInt32?
    }

    /// What was marked so far, for `restore`; mutating as `addedBytes` is.
    package var checkpoint: Checkpoint {
        mutating get {
            Checkpoint(edits: marks.edits.count, addedBytes: marks.builder.bytes.count, latestEnd: marks.latestEnd)
        }
    }

    /// Forgets the edits made since `checkpoint`, all of which were to that span, its attributes and its events.
    ///
    /// Removals of whole spans and their groups stay.
    package mutating func restore(_ checkpoint: Checkpoint, of span: Int) {
        marks.unitEdits.truncate(span, to: checkpoint.edits, &marks.edits)
        marks.edits.removeLast(marks.edits.count - checkpoint.edits)
        marks.builder.bytes.truncate(to: checkpoint.addedBytes)
        marks.latestEnd = checkpoint.latestEnd
    }

    /// Puts another first word, of the same size, into the key of an attribute that was added when there were `start` bytes.
    package mutating func renameAddition(at start: Int, _ word: StaticString, to other: StaticString) {
        marks.builder.bytes.replace(word, with: other, from: start)
    }

    @inlinable @inline(__always)
    mutating func addAttribute(
        keySize: Int,
        to place: Place,
        expecting size: Int,
        _ build: (inout ValueBuilder) -> Void,
        key: (inout ByteWriter) -> Void
    ) {
        beginAddition(to: place)
        let start = marks.builder.bytes.count
        let room = min(varintSize(size), 3)
        let tag = attributesTag(of: place)
        marks.builder.bytes.write(atMost: keySize &+ 32) { writer in
            writer.byte(tag)
            writer.skip(room)
            writer.field(0x0A, length: keySize)
            key(&writer)
            writer.byte(0x12)
            writer.skip(room)
        }
        let value = marks.builder.bytes.count
        marks.builder.beginValue()
        build(&marks.builder)
        marks.builder.endValue()
        marks.builder.bytes.close(value, reserved: room)
        marks.builder.bytes.close(start &+ 1 &+ room, reserved: room)
    }

    /// Starts something that is built at the end of its place; what is added to one place in a row becomes one edit.
    @inlinable @inline(__always)
    mutating func beginAddition(to place: Place) {
        if marks.latestEnd == place.packed { marks.builder.bytes.own() } else { beginAdditions(to: place) }
    }

    @usableFromInline
    mutating func beginAdditions(to place: Place) {
        prepare()
        let range: ShortRange =
            switch place {
            case .resource(let owner): .atEnd(of: resources[owner].frame)
            case .scope(let owner): .atEnd(of: scopes[owner].frame)
            case .span(let owner): .atEnd(of: unit(owner).frame)
            case .event(let event): .atEnd(of: events[event].frame)
            }
        append(range, to: place)
        marks.latestEnd = place.packed
    }

    /// Makes room before the first edit, so that what is added does not move again and again; pages that are not written
    /// cost nothing.
    @inline(__always)
    mutating func prepare() {
        marks.builder.bytes.own()
        guard marks.edits.isEmpty else { return }
        marks.edits.reserveCapacity(unitCount * 2)
        marks.builder.bytes.reserve(bytes.count / 2)
    }

    /// Puts an edit behind the others of its place; what is built next comes in the place of the bytes in `cut`.
    @inline(__always)
    mutating func append(_ cut: ShortRange, to place: Place) {
        marks.latestEnd = nil
        let index = Int32(truncatingIfNeeded: marks.edits.count)
        let quote = Int32(truncatingIfNeeded: marks.builder.bytes.quotes.count)
        marks.edits.append(EnvelopeMarks.Edit(cut: cut, start: marks.builder.position, quote: quote))
        switch place {
        case .resource(let owner): marks.resourceEdits.append(index, to: owner, of: resources.count, &marks.edits)
        case .scope(let owner): marks.scopeEdits.append(index, to: owner, of: scopes.count, &marks.edits)
        case .span(let owner): marks.unitEdits.append(index, to: owner, of: unitCount, &marks.edits)
        case .event(let event):
            marks.edits[Int(index)].event = Int32(truncatingIfNeeded: event)
            marks.unitEdits.append(index, to: events[event].span, of: spans.count, &marks.edits)
        }
    }

    /// The tag of `attributes` in the message of a place.
    @inlinable @inline(__always)
    func attributesTag(of place: Place) -> UInt8 {
        switch place {
        case .resource: 0x0A
        case .scope, .event: 0x1A
        case .span: unitAttributesTag
        }
    }
}

extension ShortRange {
    fileprivate static func atEnd(of frame: Frame) -> ShortRange {
        var range = ShortRange()
        range.start = frame.end
        range.end = frame.end
        return range
    }
}
