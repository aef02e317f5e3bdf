import Basics

/// A request of spans of which all stand one behind the other in one scope: where these and what is around them stand.
package struct RequestFrames: Sendable {
    /// How many spans there are.
    package let spanCount: Int
    /// What the resource's message holds.
    private let resource: Range<Int>
    /// The field of the scope's message in it, and what that holds.
    private let scope: (field: Range<Int>, content: Range<Int>)
    /// The fields of the spans.
    private let spans: Range<Int>

    /// Nil for any other request.
    package init?(_ request: [UInt8]) {
        let text = request.span.bytes
        guard let resources = try? Self.run(of: 0x0A, in: 0..<request.count, text), resources.count == 1,
            resources.fields == 0..<request.count,
            let scopes = try? Self.run(of: 0x12, in: resources.first, text), scopes.count == 1,
            let spans = try? Self.run(of: 0x12, in: scopes.first, text)
        else { return nil }
        resource = resources.first
        scope = (scopes.fields, scopes.first)
        (self.spans, spanCount) = (spans.fields, spans.count)
    }

    /// The fields of a tag in a message, and what the first of them holds; nil where there are none, or others between them.
    private static func run(
        of tag: UInt32,
        in message: Range<Int>,
        _ text: RawSpan
    ) throws(WireError) -> (fields: Range<Int>, first: Range<Int>, count: Int)? {
        var cursor = WireCursor(message)
        var run: (fields: Range<Int>, first: Range<Int>, count: Int)?
        while !cursor.isAtEnd {
            let start = cursor.offset
            let found = try cursor.tag(in: text)
            guard found == tag else {
                try cursor.skip(found, in: text)
                continue
            }
            let content = try cursor.content(in: text)
            if let known = run {
                guard known.fields.upperBound == start else { return nil }
                run = (known.fields.lowerBound..<cursor.offset, known.first, known.count + 1)
            } else {
                run = (start..<cursor.offset, content, 1)
            }
        }
        return run
    }

    /// Puts requests one behind the other; neighbours with the same resource and scope have these once.
    ///
    /// - Parameter requests: Each with its frames, where it has such.
    /// - Returns: One request.
    package static func joined(_ requests: [(bytes: [UInt8], frames: RequestFrames?)]) -> [UInt8] {
        var joined: [UInt8] = []
        joined.reserveCapacity(requests.reduce(0) { $0 + $1.bytes.count })
        var rest = requests[...]
        while let first = rest.popFirst() {
            guard let frames = first.frames else {
                joined += first.bytes
                continue
            }
            let same = rest.prefix { other in
                other.frames.map { frames.isSame(first.bytes.span.bytes, as: $0, other.bytes.span.bytes) } ?? false
            }
            rest = rest.dropFirst(same.count)
            if same.isEmpty { joined += first.bytes } else { frames.write(first.bytes, with: same, to: &joined) }
        }
        return joined
    }

    /// Whether what is around the spans is the same in two requests.
    private func isSame(_ text: RawSpan, as other: RequestFrames, _ otherText: RawSpan) -> Bool {
        text.isSame(beforeScope, as: otherText, other.beforeScope)
            && text.isSame(beforeSpans, as: otherText, other.beforeSpans)
            && text.isSame(behindSpans, as: otherText, other.behindSpans)
            && text.isSame(behindScope, as: otherText, other.behindScope)
    }

    /// Writes one request of these spans and those of others with the same resource and scope.
    private func write(
        _ bytes: [UInt8],
        with others: ArraySlice<(bytes: [UInt8], frames: RequestFrames?)>,
        to joined: inout [UInt8]
    ) {
        let added = others.reduce(0) { $0 + ($1.frames?.spans.count ?? 0) }
        let scopeBytes = scope.content.count + added
        let resourceBytes = beforeScope.count + 1 + varintSize(scopeBytes) + scopeBytes + behindScope.count
        joined.append(0x0A)
        joined.appendVarint(resourceBytes)
        joined += bytes[beforeScope]
        joined.append(0x12)
        joined.appendVarint(scopeBytes)
        joined += bytes[scope.content.lowerBound..<spans.upperBound]
        for other in others { if let spans = other.frames?.spans { joined += other.bytes[spans] } }
        joined += bytes[behindSpans]
        joined += bytes[behindScope]
    }

    private var beforeScope: Range<Int> { resource.lowerBound..<scope.field.lowerBound }
    private var behindScope: Range<Int> { scope.field.upperBound..<resource.upperBound }
    private var beforeSpans: Range<Int> { scope.content.lowerBound..<spans.lowerBound }
    private var behindSpans: Range<Int> { spans.upperBound..<scope.content.upperBound }
}
