import Basics

extension Envelope {
    /// Adds to `dropped_attributes_count` of a span or log record.
    package mutating func addDropped(attributes count: Int, to unit: Int) {
        addDropped(count, in: signal == .logs ? 7 : 10, of: unit)
    }

    /// Adds to `dropped_events_count` of a span.
    package mutating func addDropped(events count: Int, to span: Int) { addDropped(count, in: 12, of: span) }

    private mutating func addDropped(_ count: Int, in number: Int, of unit: Int) {
        var sum = UInt64(count)
        var reader = WireReader(self.unit(unit).frame.content)
        while let field = try? reader.next(in: bytes.span.bytes) {
            guard field.number == number else { continue }
            append(ShortRange(field.field), to: .span(unit))
            sum = UInt64(count) + UInt64(UInt32(truncatingIfNeeded: field.value))
        }
        beginAddition(to: .span(unit))
        marks.builder.bytes.write(atMost: 16) { writer in
            writer.byte(UInt8(number << 3))
            writer.varint(min(sum, UInt64(UInt32.max)))
        }
    }
}
