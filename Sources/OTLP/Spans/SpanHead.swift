import Basics

/// Where a span stands in its trace, and when; read without an index of its request.
package struct SpanHead: BitwiseCopyable, Sendable {
    package private(set) var id = SpanID(0)
    private var parentBits: UInt64 = 0
    /// Nanoseconds since 1970.
    package private(set) var start: UInt64 = 0
    /// Nanoseconds since 1970; zero where it did not end.
    package private(set) var end: UInt64 = 0
    private var flags: UInt32 = 0

    /// Nil for a root.
    package var parent: SpanID? { parentBits == 0 ? nil : SpanID(parentBits) }
    /// Whether its flags say that its parent is in another process; false where they do not say so.
    package var isParentRemote: Bool { ParentLink.isRemote(flags) }

    /// The same span below another one.
    package func adopted(by link: ParentLink) -> SpanHead {
        var head = self
        (head.parentBits, head.flags) = (link.id?.value ?? 0, link.flags(flags))
        return head
    }

    /// The spans of a request in wire form that was validated before, in their order; of a broken one those before the break.
    package static func all(in request: [UInt8]) -> [SpanHead] {
        var heads: [SpanHead] = []
        try? descend(into: 0..<request.count, [0x0A, 0x12, 0x12], request.span.bytes, &heads)
        return heads
    }

    /// Walks the part of a message that the tags of resources, scopes and spans lead to.
    private static func descend(
        into part: Range<Int>,
        _ path: ArraySlice<UInt32>,
        _ text: RawSpan,
        _ heads: inout [SpanHead]
    ) throws(WireError) {
        guard let next = path.first else { return heads.append(try SpanHead(part, text)) }
        var cursor = WireCursor(part)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: text)
            if tag == next {
                try descend(into: cursor.content(in: text), path.dropFirst(), text, &heads)
            } else {
                try cursor.skip(tag, in: text)
            }
        }
    }

    private init(_ body: Range<Int>, _ text: RawSpan) throws(WireError) {
        var cursor = WireCursor(body)
        while !cursor.isAtEnd {
            switch try cursor.tag(in: text) {
            case 0x12: id = SpanID(Self.id(try cursor.content(in: text), text))
            case 0x22: parentBits = Self.id(try cursor.content(in: text), text)
            case 0x39: start = try cursor.fixed64(in: text)
            case 0x41: end = try cursor.fixed64(in: text)
            case 0x85: flags = try cursor.fixed32(in: text)
            case let tag: try cursor.skip(tag, in: text)
            }
        }
    }

    private static func id(_ range: Range<Int>, _ text: RawSpan) -> UInt64 {
        range.count == 8 ? text.word(at: range.lowerBound).byteSwapped : 0
    }
}
