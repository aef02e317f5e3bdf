import Basics

/// Walks every text of a request, by the tables of the messages, and collects what comes in the place of some.
///
/// Identifiers, trace states and unknown fields are no texts. Lengths of the messages around a replaced text are written
/// anew; everything else keeps its bytes.
struct TextWalk<Visitor: TextVisitor>: ~Copyable {
    /// Bytes of the body that go, and those of `inserted` that come in their place.
    private struct Splice {
        var cut: Range<Int>
        var content: Range<Int>
    }

    var visitor: Visitor
    private var splices: [Splice] = []
    private var inserted: [UInt8] = []
    private var unit = -1
    private let steps = TextSteps.all
    private let nestingMax: Int

    init(_ visitor: consuming Visitor, limits: WireLimits = .standard) {
        self.visitor = visitor
        nestingMax = limits.nestingMax
    }

    /// Walks a whole request.
    ///
    /// - Returns: The request with the replacements; nil where there are none.
    mutating func run(_ signal: Signal, _ body: RawSpan) throws(WireError) -> [UInt8]? {
        _ = try message(MessageType(requestOf: signal), 0..<body.byteCount, TextSite(place: .resource), body)
        guard !splices.isEmpty else { return nil }
        splices.sort { $0.cut.lowerBound < $1.cut.lowerBound }
        var written: [UInt8] = []
        written.reserveCapacity(body.byteCount + inserted.count)
        var offset = 0
        for splice in splices {
            written.append(body, offset..<splice.cut.lowerBound)
            written.append(inserted.span.bytes, splice.content)
            offset = splice.cut.upperBound
        }
        written.append(body, offset..<body.byteCount)
        return written
    }

    /// Walks one message; returns by how many bytes it grows.
    private mutating func message(
        _ type: MessageType,
        _ range: Range<Int>,
        _ outer: TextSite,
        _ body: RawSpan
    ) throws(WireError) -> Int {
        var site = outer
        site.place = TextPlace(in: type, around: outer.place)
        if type == .span || type == .logRecord || type == .metric {
            unit += 1
            site.unit = unit
        }
        var growth = 0
        var cursor = WireCursor(range)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: body)
            guard tag & 7 == WireType.lengthDelimited else {
                try cursor.skip(tag, in: body)
                continue
            }
            let start = cursor.offset
            let content = try cursor.content(in: body)
            guard let step = steps.step(Int(tag >> 3), of: type), !content.isEmpty else { continue }
            var site = site
            site.place = TextPlace(of: Int(tag >> 3), in: type, around: site.place)
            let added: Int
            switch step {
            case .text: added = text(start, content, site, body)
            case .keyValue: added = try keyValue(content, site, 0, body)
            case .value: added = try value(content, site, 0, body)
            case .message(let type): added = try message(type, content, site, body)
            }
            growth += step.isText ? added : resize(start, content, by: added)
        }
        return growth
    }

    /// Asks for a text whose length stands at `start`; returns by how many bytes its field grows.
    private mutating func text(_ start: Int, _ content: Range<Int>, _ site: TextSite, _ body: RawSpan) -> Int {
        guard !visitor.isOver, let new = visitor.replacement(for: content, of: body, at: site) else { return 0 }
        return replace(start..<content.upperBound) { inserted in
            inserted.appendVarint(new.count)
            inserted += new
        }
    }

    /// Walks one `KeyValue`; returns by how many bytes it grows.
    private mutating func keyValue(
        _ range: Range<Int>,
        _ outer: TextSite,
        _ depth: Int,
        _ body: RawSpan
    ) throws(WireError) -> Int {
        var site = outer
        var growth = 0
        var values: (first: (start: Int, content: Range<Int>)?, others: [(start: Int, content: Range<Int>)]) = (nil, [])
        var cursor = WireCursor(range)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: body)
            guard tag == 0x0A || tag == 0x12 else {
                try cursor.skip(tag, in: body)
                continue
            }
            let start = cursor.offset
            let content = try cursor.content(in: body)
            if tag == 0x0A {
                site.key = nil
                growth += text(start, content, site, body)
                site.key = content
            } else if values.first == nil {
                values.first = (start, content)
            } else {
                values.others.append((start, content))
            }
        }
        if let first = values.first { growth += try member(first, site, depth, body) }
        for other in values.others { growth += try member(other, site, depth, body) }
        return growth
    }

    /// Walks the value of a `KeyValue`; returns by how many bytes its field grows.
    private mutating func member(
        _ field: (start: Int, content: Range<Int>),
        _ site: TextSite,
        _ depth: Int,
        _ body: RawSpan
    ) throws(WireError) -> Int {
        let (start, content) = field
        if !visitor.isOver, !content.isEmpty,
            let new = visitor.replacement(forValue: content, of: body, at: site)
        {
            return replace(start..<content.upperBound) { inserted in
                inserted.appendVarint(1 + varintSize(new.count) + new.count)
                inserted.append(0x0A)
                inserted.appendVarint(new.count)
                inserted += new
            }
        }
        return resize(start, content, by: try value(content, site, depth, body))
    }

    /// Walks one `AnyValue`; returns by how many bytes it grows.
    private mutating func value(
        _ range: Range<Int>,
        _ site: TextSite,
        _ depth: Int,
        _ body: RawSpan
    ) throws(WireError) -> Int {
        // What is deeper is in a unit that has a flaw and goes nowhere.
        guard depth <= nestingMax else { return 0 }
        var growth = 0
        var cursor = WireCursor(range)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: body)
            let start = cursor.offset
            switch tag {
            case 0x0A, 0x3A:
                let content = try cursor.content(in: body)
                if !content.isEmpty { growth += text(start, content, site, body) }
            case 0x2A, 0x32:
                let content = try cursor.content(in: body)
                growth += resize(start, content, by: try container(content, tag == 0x32, site, depth, body))
            default: try cursor.skip(tag, in: body)
            }
        }
        return growth
    }

    /// Walks the elements of an `ArrayValue`, or the members of a `KeyValueList`.
    private mutating func container(
        _ range: Range<Int>,
        _ hasMembers: Bool,
        _ site: TextSite,
        _ depth: Int,
        _ body: RawSpan
    ) throws(WireError) -> Int {
        var growth = 0
        var cursor = WireCursor(range)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: body)
            guard tag == 0x0A else {
                try cursor.skip(tag, in: body)
                continue
            }
            let start = cursor.offset
            let content = try cursor.content(in: body)
            let added =
                hasMembers
                ? try keyValue(content, site, depth + 1, body) : try value(content, site, depth + 1, body)
            growth += resize(start, content, by: added)
        }
        return growth
    }

    /// Writes the length of a message anew that grew; returns by how many bytes its field grows.
    private mutating func resize(_ start: Int, _ content: Range<Int>, by growth: Int) -> Int {
        guard growth != 0 else { return 0 }
        return growth + replace(start..<content.lowerBound) { $0.appendVarint(content.count + growth) }
    }

    /// Puts what `write` appends in the place of bytes of the body; returns how many bytes more that is.
    private mutating func replace(_ cut: Range<Int>, _ write: (inout [UInt8]) -> Void) -> Int {
        let start = inserted.count
        write(&inserted)
        splices.append(Splice(cut: cut, content: start..<inserted.count))
        return inserted.count - start - cut.count
    }
}

/// What the fields of each message hold for a walk over texts.
struct TextSteps: Sendable {
    enum Step: Sendable {
        case text
        case keyValue
        case value
        case message(MessageType)

        var isText: Bool { if case .text = self { true } else { false } }
    }

    static let all = TextSteps()

    /// By raw value of `MessageType` and number of the field.
    private let steps: [Step?]
    private static let numberEnd = 32

    init() {
        var steps = [Step?](repeating: nil, count: MessageType.allCases.count * Self.numberEnd)
        for type in MessageType.allCases {
            for field in MessageSchema.all[type.rawValue].fields {
                steps[type.rawValue * Self.numberEnd + field.number] = Self.step(field)
            }
        }
        self.steps = steps
    }

    private static func step(_ field: FieldSchema) -> Step? {
        switch field.kind {
        case .string: "\(field.name)" == "traceState" ? nil : .text
        case .message(.keyValue): .keyValue
        case .message(.anyValue): .value
        case .message(let type): .message(type)
        default: nil
        }
    }

    /// The step for a field of a message; nil for one that holds no text.
    @inline(__always)
    func step(_ number: Int, of type: MessageType) -> Step? {
        number < Self.numberEnd ? steps[type.rawValue &* Self.numberEnd &+ number] : nil
    }
}

extension Envelope {
    /// The same request with what `visitor` puts in the place of its texts; nil where that is nothing.
    ///
    /// Of marks only removals stay. Throws where the result is too large to be indexed.
    package func replacingTexts(
        by visitor: inout some TextVisitor,
        limits: WireLimits = .standard
    ) throws(WireError) -> Envelope? {
        var walk = TextWalk(visitor, limits: limits)
        let written = try walk.run(signal, bytes.span.bytes)
        visitor = walk.visitor
        guard let written, !visitor.isOver else { return nil }
        var envelope = try Envelope(written, signal: signal, limits: limits)
        // A text that was no UTF-8 may be one now: what was refused stays refused.
        for unit in 0..<unitCount {
            if let removal = removal(of: unit), envelope.removal(of: unit) == nil { envelope.remove(unit, as: removal) }
        }
        return envelope
    }
}
