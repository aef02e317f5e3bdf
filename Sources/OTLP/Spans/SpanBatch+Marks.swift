import Basics

extension SpanBatch {
    /// Takes a span out; one that is out keeps its first reason.
    package mutating func remove(_ span: Int, as removal: Removal) {
        marks.remove(span, of: spans.count, as: removal)
    }

    /// Why a span is out; nil while it stays.
    package func removal(of span: Int) -> Removal? {
        marks.removals.isEmpty ? nil : Removal(rawValue: marks.removals[span])
    }

    /// How many spans are out for that reason.
    package func removedCount(_ removal: Removal) -> Int { marks.removedCounts[Int(removal.rawValue)] }

    /// How many spans are still in.
    package var keptCount: Int { spans.count - marks.removedCount }

    /// Chooses the output that a span goes to; without a choice it is group 0.
    package mutating func assign(_ span: Int, to group: UInt16) {
        marks.assign(span, of: spans.count, to: group)
    }

    /// The output that a span goes to.
    package func group(of span: Int) -> UInt16 { marks.groups.isEmpty ? 0 : marks.groups[span] }

    /// Takes an attribute out; stronger than `renameAttribute`.
    package mutating func removeAttribute(_ attribute: Int) {
        append(BatchMarks.Edit(cut: attributes[attribute].fieldRange), to: attributes[attribute].place)
    }

    /// Gives an attribute another key; the value and unknown fields stay as they are.
    package mutating func renameAttribute(_ attribute: Int, to key: String) {
        let entry = attributes[attribute]
        let body = bytes
        let text = body.span.bytes
        var edit = BatchMarks.Edit(cut: entry.fieldRange)
        prepare()
        edit.content.start = marks.builder.position
        marks.builder.renamed(key, entry.field, in: text)
        edit.content.end = marks.builder.position
        edit.prefix = ShortRange(Int(edit.content.end), Int(edit.content.end))
        marks.builder.openField(entry.place.attributesTag, length: Int(edit.content.end &- edit.content.start))
        edit.prefix.end = marks.builder.position
        append(edit, to: entry.place)
    }

    /// Puts an attribute behind the others of its place; a key that is there already is not looked for.
    package mutating func addAttribute(_ key: StaticString, to place: Place, _ build: (inout ValueBuilder) -> Void) {
        addAttribute(keySize: key.utf8CodeUnitCount, to: place, build) { $0.bytes.append(key) }
    }

    /// Puts an attribute behind the others of its place; a key that is there already is not looked for.
    package mutating func addAttribute(_ key: String, to place: Place, _ build: (inout ValueBuilder) -> Void) {
        addAttribute(keySize: key.utf8.count, to: place, build) { $0.bytes.append(contentsOf: key.utf8) }
    }

    /// Puts an event behind the others of a span, with the attributes that `build` adds.
    package mutating func addEvent(
        _ name: StaticString,
        at time: UInt64,
        to span: Int,
        _ build: (inout AttributesBuilder) -> Void
    ) {
        var edit = BatchMarks.Edit(cut: ShortRange())
        prepare()
        edit.content.start = marks.builder.position
        marks.builder.bytes.append(0x09)
        marks.builder.bytes.appendFixed64(time)
        marks.builder.bytes.append(0x12)
        marks.builder.bytes.appendVarint(name.utf8CodeUnitCount)
        marks.builder.bytes.append(name)
        var attributes = AttributesBuilder(values: ValueBuilder())
        swap(&attributes.values, &marks.builder)
        build(&attributes)
        swap(&attributes.values, &marks.builder)
        edit.content.end = marks.builder.position
        edit.prefix.start = edit.content.end
        marks.builder.openField(0x5A, length: Int(edit.content.end &- edit.content.start))
        edit.prefix.end = marks.builder.position
        append(edit, to: .span(span))
    }

    /// Replaces `trace_state`; an empty text takes it out.
    package mutating func setTraceState(_ traceState: String, of span: Int) {
        var reader = WireReader(spans[span].frame.content)
        while let field = try? reader.next(in: bytes.span.bytes) {
            if field.number == 3 { append(BatchMarks.Edit(cut: ShortRange(field.field)), to: .span(span)) }
        }
        guard !traceState.isEmpty else { return }
        var edit = BatchMarks.Edit(cut: ShortRange())
        prepare()
        edit.content.start = marks.builder.position
        marks.builder.openField(0x1A, length: traceState.utf8.count)
        marks.builder.bytes.append(contentsOf: traceState.utf8)
        edit.content.end = marks.builder.position
        append(edit, to: .span(span))
    }

    @inline(__always)
    private mutating func addAttribute(
        keySize: Int,
        to place: Place,
        _ build: (inout ValueBuilder) -> Void,
        key: (inout ValueBuilder) -> Void
    ) {
        var edit = BatchMarks.Edit(cut: ShortRange())
        prepare()
        edit.content.start = marks.builder.position
        marks.builder.beginValue()
        build(&marks.builder)
        marks.builder.endValue()
        edit.content.end = marks.builder.position
        edit.prefix.start = edit.content.end
        let valueSize = Int(edit.content.end &- edit.content.start)
        let size = 1 + varintSize(keySize) + keySize + 1 + varintSize(valueSize) + valueSize
        marks.builder.openField(place.attributesTag, length: size)
        marks.builder.openField(0x0A, length: keySize)
        key(&marks.builder)
        marks.builder.openField(0x12, length: valueSize)
        edit.prefix.end = marks.builder.position
        append(edit, to: place)
    }

    /// Makes room before the first edit, so that what is added does not move again and again; pages that are not written
    /// cost nothing.
    @inline(__always)
    private mutating func prepare() {
        guard marks.edits.isEmpty else { return }
        marks.edits.reserveCapacity(spans.count * 2)
        marks.builder.bytes.reserveCapacity(bytes.count / 2)
    }

    /// Puts an edit behind the others of its place; one that cuts nothing stands at the place's end.
    private mutating func append(_ edit: BatchMarks.Edit, to place: Place) {
        var edit = edit
        let index = Int32(truncatingIfNeeded: marks.edits.count)
        let adds = edit.cut == ShortRange()
        switch place {
        case .resource(let owner):
            if adds { edit.cut = .atEnd(of: resources[owner].frame) }
            marks.edits.append(edit)
            marks.resourceEdits.append(index, to: owner, of: resources.count, &marks.edits)
        case .scope(let owner):
            if adds { edit.cut = .atEnd(of: scopes[owner].frame) }
            marks.edits.append(edit)
            marks.scopeEdits.append(index, to: owner, of: scopes.count, &marks.edits)
        case .span(let owner):
            if adds { edit.cut = .atEnd(of: spans[owner].frame) }
            marks.edits.append(edit)
            marks.spanEdits.append(index, to: owner, of: spans.count, &marks.edits)
        case .event(let event):
            if adds { edit.cut = .atEnd(of: events[event].frame) }
            edit.event = Int32(truncatingIfNeeded: event)
            marks.edits.append(edit)
            marks.spanEdits.append(index, to: events[event].span, of: spans.count, &marks.edits)
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

extension Place {
    /// The tag of `attributes` in the message of this place.
    fileprivate var attributesTag: Int {
        switch self {
        case .resource: 0x0A
        case .scope, .event: 0x1A
        case .span: 0x4A
        }
    }
}
