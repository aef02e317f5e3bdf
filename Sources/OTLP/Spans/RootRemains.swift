import Basics

/// What a root says of its whole trace, for the span that takes its place.
package struct RootRemains: Hashable, Sendable {
    /// Nanoseconds since 1970; zero where it has none.
    package var start: UInt64
    /// Nanoseconds since 1970; zero where it did not end.
    package var end: UInt64
    /// The field `status` of a span in wire form; empty unless it is an error.
    package var status: [UInt8]
    /// Fields `events` of a span in wire form: the exceptions.
    package var exceptions: [UInt8]

    package init(start: UInt64, end: UInt64, status: [UInt8], exceptions: [UInt8]) {
        (self.start, self.end, self.status, self.exceptions) = (start, end, status, exceptions)
    }

    /// What the span at `index` says.
    package init(of index: Int, in batch: borrowing SpanBatch) {
        let span = batch.spans[index]
        (start, end, status, exceptions) = (span.start, span.end, [], [])
        let body = batch.bytes.span.bytes
        if span.statusCode == Self.failed {
            let message = span.statusMessage
            var content: [UInt8] = []
            if !message.isEmpty {
                content.append(0x12)
                content.appendVarint(message.count)
                content.append(body, message)
            }
            content += [0x18, 2]
            status.append(0x7A)
            status.appendVarint(content.count)
            status += content
        }
        for event in span.events where batch.equals("exception", batch.events[event].name) {
            exceptions.append(body, batch.events[event].frame.field)
        }
    }

    /// The value of `STATUS_CODE_ERROR`.
    fileprivate static let failed = 2

    /// The same without exceptions of more than `bytesMax`, and without such a message.
    package func bounded(to bytesMax: Int) -> RootRemains {
        let status = status.count <= bytesMax ? status : [0x7A, 2, 0x18, 2]
        let exceptions = exceptions.count <= bytesMax ? exceptions : []
        return RootRemains(start: start, end: end, status: status, exceptions: exceptions)
    }
}

extension SpanBatch {
    /// Gives the span that takes a root's place what the root said of the whole trace, where it does not say so itself; the entry keeps
    /// what it was.
    package mutating func inherit(_ remains: RootRemains, to heir: Int) {
        let span = spans[heir]
        if remains.start > 0, remains.start < span.start { setStart(remains.start, of: heir) }
        if remains.end > span.end { setEnd(remains.end, of: heir) }
        if !remains.status.isEmpty, span.statusCode != RootRemains.failed {
            cut(field: 15, of: heir)
            add(fields: remains.status, to: heir)
        }
        let hasOwn = span.events.contains { equals("exception", events[$0].name) }
        if !hasOwn, !remains.exceptions.isEmpty { add(fields: remains.exceptions, to: heir) }
    }

    /// Puts fields in wire form behind those of a span.
    private mutating func add(fields: [UInt8], to span: Int) {
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: fields.count) { $0.bytes(fields.span.bytes, 0..<fields.count) }
    }
}
