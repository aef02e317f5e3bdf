import Basics

extension EnvelopeWriter {
    /// Writes a unit with its edits.
    mutating func editedUnit(_ frame: Frame, _ head: Int32) {
        let message = assembly.open(0x12)
        var cursor = frame.body
        let first = batch.marks.edits[Int(head)]
        if first.next < 0, first.event < 0 {
            apply(head, &cursor)
            assembly.copy(cursor, frame.end)
            return assembly.close(message, original: frame)
        }
        gather(head)
        var position = 0
        while position < scratch.count {
            let edit = batch.marks.edits[Int(scratch[position])]
            if edit.event >= 0 {
                let event = batch.events[Int(edit.event)].frame
                assembly.copy(cursor, event.start)
                position = editedEvent(edit.event, event, from: position)
                cursor = event.end
            } else {
                apply(scratch[position], &cursor)
                position += 1
            }
        }
        assembly.copy(cursor, frame.end)
        assembly.close(message, original: frame)
    }

    /// Writes an event with its edits; returns the position of the first edit that is not its own.
    private mutating func editedEvent(_ index: Int32, _ frame: Frame, from position: Int) -> Int {
        var position = position
        let message = assembly.open(0x5A)
        var cursor = frame.body
        while position < scratch.count {
            let edit = batch.marks.edits[Int(scratch[position])]
            guard edit.event == index else { break }
            apply(scratch[position], &cursor)
            position += 1
        }
        assembly.copy(cursor, frame.end)
        assembly.close(message, original: frame)
        return position
    }

    /// Writes a resource or scope with its edits: parts become one message, at the front of what it describes.
    mutating func envelope(_ head: Int32, in around: Frame, _ single: Frame, isSplit: Bool) {
        gather(head)
        let message = assembly.open(0x0A)
        var position = 0
        for part in isSplit ? parts(of: around) : [single] {
            var cursor = part.body
            while position < scratch.count {
                let edit = batch.marks.edits[Int(scratch[position])]
                guard !edit.cut.isEmpty, edit.cut.start < part.end else { break }
                apply(scratch[position], &cursor)
                position += 1
            }
            assembly.copy(cursor, part.end)
        }
        for index in scratch[position...] {
            var end = around.end
            apply(index, &end)
        }
        assembly.close(message, original: single)
    }

    /// The places of field 1.
    private mutating func parts(of around: Frame) -> [Frame] {
        var parts: [Frame] = []
        var reader = WireReader(around.content)
        while let field = try? reader.next(in: batch.bytes.span.bytes) {
            steps &+= 1
            if field.number == 1 { parts.append(Frame(start: field.field.lowerBound, body: field.content)) }
        }
        return parts
    }

    /// Copies up to an edit and makes it; one whose bytes are gone already changes nothing.
    private mutating func apply(_ index: Int32, _ cursor: inout Int32) {
        let cut = batch.marks.edits[Int(index)].cut
        guard cut.start >= cursor else { return }
        assembly.copy(cursor, cut.start)
        assembly.touch()
        let content = batch.marks.content(of: index)
        var start = content.start
        for quote in batch.marks.quotes(of: index) {
            let quote = batch.marks.builder.bytes.quotes[quote]
            assembly.insert(start, quote.position)
            assembly.copy(quote.source.start, quote.source.end)
            start = quote.position &+ (quote.source.end &- quote.source.start)
        }
        assembly.insert(start, content.end)
        cursor = cut.end
    }

    /// Puts a chain of edits into `scratch`, in the order of the bytes they change.
    private mutating func gather(_ head: Int32) {
        scratch.removeAll(keepingCapacity: true)
        var edit = head
        var isSorted = true
        while edit >= 0 {
            if let last = scratch.last, !stands(last, before: edit) { isSorted = false }
            scratch.append(edit)
            edit = batch.marks.edits[Int(edit)].next
        }
        guard !isSorted else { return }
        let batch = batch
        scratch.sort { Self.stands($0, before: $1, batch.marks) }
    }

    private func stands(_ left: Int32, before right: Int32) -> Bool {
        Self.stands(left, before: right, batch.marks)
    }

    /// The order of edits: by place; inside an event before behind it; of several on one attribute, a removal before a
    /// new key, and the last new key before earlier ones; additions in the order they were made.
    private static func stands(_ left: Int32, before right: Int32, _ marks: EnvelopeMarks) -> Bool {
        let (first, second) = (marks.edits[Int(left)], marks.edits[Int(right)])
        if first.cut.start != second.cut.start { return first.cut.start < second.cut.start }
        if (first.event < 0) != (second.event < 0) { return first.event >= 0 }
        if first.cut.isEmpty { return left < right }
        let isRemoval = marks.content(of: left).isEmpty
        if isRemoval != marks.content(of: right).isEmpty { return isRemoval }
        return left > right
    }
}
