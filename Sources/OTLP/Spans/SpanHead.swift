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
        try? collect(from: request.span.bytes, 0..<request.count, &heads)
        return heads
    }

    private static func collect(
        from text: RawSpan,
        _ request: Range<Int>,
        _ heads: inout [SpanHead]
    ) throws(WireError) {
        var resources = WireCursor(request)
        while let resource = try resources.content(ofNext: 0x0A, in: text) {
            var scopes = WireCursor(resource)
            while let scope = try scopes.content(ofNext: 0x12, in: text) {
                var spans = WireCursor(scope)
                while let span = try spans.content(ofNext: 0x12, in: text) { heads.append(try SpanHead(span, text)) }
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
            // Nearly all that is left: a name, attributes, events.
            case 0x2A, 0x4A, 0x5A: _ = try cursor.content(in: text)
            case let tag: try cursor.skip(tag, in: text)
            }
        }
    }

    private static func id(_ range: Range<Int>, _ text: RawSpan) -> UInt64 {
        range.count == 8 ? text.word(at: range.lowerBound).byteSwapped : 0
    }
}

extension WireCursor {
    /// What the next field of a tag holds; nil behind the last.
    @inline(__always)
    fileprivate mutating func content(ofNext tag: UInt32, in text: RawSpan) throws(WireError) -> Range<Int>? {
        while !isAtEnd {
            let found = try self.tag(in: text)
            guard found != tag else { return try content(in: text) }
            try skip(found, in: text)
        }
        return nil
    }
}
