import Basics

/// An envelope of spans.
///
/// Besides what every envelope has there are `spans` and `events`, and edits of what only spans have.
package typealias SpanBatch = Envelope

extension SpanBatch {
    /// Puts an event behind the others of a span, with the attributes that `build` adds.
    package mutating func addEvent(
        _ name: StaticString,
        at time: UInt64,
        to span: Int,
        _ build: (inout AttributesBuilder) -> Void
    ) {
        beginAddition(to: .span(span))
        let start = marks.builder.bytes.count
        let size = name.utf8CodeUnitCount
        marks.builder.bytes.write(atMost: size + 32) { writer in
            writer.byte(0x5A)
            writer.skip(1)
            writer.byte(0x09)
            writer.word(time)
            writer.field(0x12, length: size)
            writer.letters(name)
        }
        var attributes = AttributesBuilder(values: ValueBuilder())
        swap(&attributes.values, &marks.builder)
        build(&attributes)
        swap(&attributes.values, &marks.builder)
        marks.builder.bytes.close(start + 2, reserved: 1)
    }

    /// Replaces `trace_state`; an empty text takes it out.
    package mutating func setTraceState(_ traceState: String, of span: Int) {
        cut(field: 3, of: span)
        guard !traceState.isEmpty else { return }
        beginAddition(to: .span(span))
        let size = traceState.utf8.count
        marks.builder.bytes.write(atMost: size + 16) { writer in
            writer.field(0x1A, length: size)
            writer.letters(traceState)
        }
    }

    /// Replaces `start_time_unix_nano`; the entry keeps the old one.
    package mutating func setStart(_ time: UInt64, of span: Int) { setTime(0x39, time, of: span) }

    /// Replaces `end_time_unix_nano`; the entry keeps the old one.
    package mutating func setEnd(_ time: UInt64, of span: Int) { setTime(0x41, time, of: span) }

    private mutating func setTime(_ tag: UInt8, _ time: UInt64, of span: Int) {
        cut(field: Int(tag >> 3), of: span)
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: 16) { writer in
            writer.byte(tag)
            writer.word(time)
        }
    }

    /// Replaces `name` by a text of the body; the entry keeps the old one.
    package mutating func setName(_ name: Range<Int>, of span: Int) {
        let body = bytes
        cut(field: 5, of: span)
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: name.count + 16) { writer in
            writer.field(0x2A, length: name.count)
            writer.bytes(body.span.bytes, name)
        }
    }

    /// Replaces `status` by an error with a text of the body as its message; the entry keeps the old one.
    package mutating func setFailed(_ message: Range<Int>, of span: Int) {
        let body = bytes
        cut(field: 15, of: span)
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: message.count + 32) { writer in
            writer.field(0x7A, length: 2 + (message.isEmpty ? 0 : 1 + varintSize(message.count) + message.count))
            if !message.isEmpty {
                writer.field(0x12, length: message.count)
                writer.bytes(body.span.bytes, message)
            }
            writer.pair(0x18, 2)
        }
    }

    /// Puts an event behind the others of a span; `event` is an `Event` message.
    package mutating func addEvent(_ event: [UInt8], to span: Int) {
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: event.count + 16) { writer in
            writer.field(0x5A, length: event.count)
            writer.bytes(event.span.bytes, 0..<event.count)
        }
    }

    /// Takes a field of a span out.
    mutating func cut(field number: Int, of span: Int) {
        var reader = WireReader(spans[span].unit.frame.content)
        while let field = try? reader.next(in: bytes.span.bytes) {
            if field.number == number { append(ShortRange(field.field), to: .span(span)) }
        }
    }
}
