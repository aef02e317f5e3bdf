import Basics

/// One text or attribute of a request; ranges are of the body, and empty for what there is none of.
package struct TextItem: Sendable {
    /// Where it stands.
    package internal(set) var site: TextSite
    /// Whether the key is a text that was not met before.
    package internal(set) var bringsKey = false
    /// All of an attribute whose value this is: a `KeyValue` message.
    package internal(set) var member = 0..<0
    /// All of a value: an `AnyValue` message.
    package internal(set) var value = 0..<0
    /// UTF-8, or whatever a bytes value holds.
    package internal(set) var text = 0..<0
}

/// Finds the texts of a request, one after the other.
///
/// Identifiers, trace states and unknown fields are no texts. Values that are nested deeper than a valid unit has them are left out.
package struct TextWalk: Sendable {
    /// A message that is being read.
    private struct Frame {
        var offset: Int
        var end: Int
        /// Raw value of the `MessageType`.
        var type: Int
        /// The tag of its attributes; 0 where it has none.
        var memberTag: UInt8 = 0
        var site: TextSite
        /// Containers around it, within one value.
        var depth = 0
    }

    private var frame: Frame
    private var outer: [Frame] = []
    private var unit = -1
    private let steps = TextSteps.all
    private let nestingMax: Int

    /// - Parameters:
    ///   - signal: What the request holds.
    ///   - body: The request, which was indexed before.
    ///   - limits: Those under which it was.
    package init(_ signal: Signal, _ body: RawSpan, limits: WireLimits = .standard) {
        frame = Frame(
            offset: 0,
            end: body.byteCount,
            type: MessageType(requestOf: signal).rawValue,
            site: TextSite(place: .resource)
        )
        nestingMax = limits.nestingMax
        outer.reserveCapacity(16)
    }

    /// The next attribute, value or text; nil at the end.
    ///
    /// A value that is no text comes first as a whole and then in its parts, unless it is skipped.
    ///
    /// - Parameters:
    ///   - body: The request.
    ///   - known: Attributes that are left out where they are short and settled.
    /// - Returns: What comes next.
    /// - Throws: Where the bytes cannot be read, although they were indexed.
    package mutating func next(
        in body: RawSpan,
        passing known: KnownTexts = KnownTexts()
    ) throws(WireError) -> TextItem? {
        while true {
            if frame.memberTag != 0, let member = shortMember(body, passing: known) {
                if let item = try self.member(member, frame.site, body) { return item }
                continue
            }
            if passShortFields(body) { continue }
            while frame.offset >= frame.end {
                guard let last = outer.popLast() else { return nil }
                frame = last
            }
            var cursor = WireCursor(frame.offset..<frame.end)
            let tag = try cursor.tag(in: body)
            guard tag & 7 == WireType.lengthDelimited else {
                if tag & 7 == WireType.fixed64 {
                    _ = try cursor.fixed64(in: body)
                } else {
                    try cursor.skip(tag, in: body)
                }
                frame.offset = cursor.offset
                continue
            }
            let content = try cursor.content(in: body)
            frame.offset = content.upperBound
            guard tag >> 3 < UInt32(TextSteps.numberEnd) else { continue }
            let step = steps.of(Int(tag >> 3), in: frame.type)
            if step.action == .unit { unit &+= 1 }
            guard step.action != .skip, !content.isEmpty else { continue }
            if let item = try item(step, content, body) { return item }
        }
    }

    /// The next of the short attributes at which the walk stands about which something may have to be done, and moves past it; nil where
    /// there is none, or a long one comes first.
    @inline(__always)
    private mutating func shortMember(_ body: RawSpan, passing known: KnownTexts) -> Range<Int>? {
        let wanted = 0x0A_0000 | UInt32(frame.memberTag)
        let last = frame.end
        var start = frame.offset
        while last &- start >= 4 {
            // Tag, length, tag of the key, and the length of that.
            let head = body.uint32(at: start)
            let end = start &+ 2 &+ Int(head >> 8 & 0x7F)
            guard head & 0x80FF_80FF == wanted, end <= last, start &+ 4 &+ Int(head >> 24) <= end else { break }
            let member = Range(uncheckedBounds: (start &+ 2, end))
            start = end
            guard !known.settles(member, of: body) else { continue }
            frame.offset = start
            return member
        }
        frame.offset = start
        return nil
    }

    /// Moves past fields in which no text stands, as far as one byte is the tag of each, and one the length or the number; says whether
    /// there are any.
    @inline(__always)
    private mutating func passShortFields(_ body: RawSpan) -> Bool {
        let last = frame.end
        var start = frame.offset
        while last &- start >= 2 {
            let rest = steps.rest(of: body.byte(at: start), in: frame.type)
            guard rest != 0 else { break }
            var end = start &+ Int(rest)
            if rest <= TextSteps.lengthDelimited {
                let next = body.byte(at: start &+ 1)
                guard next < 0x80 else { break }
                end = start &+ 2 &+ (rest == TextSteps.lengthDelimited ? Int(next) : 0)
            }
            guard end <= last else { break }
            start = end
        }
        defer { frame.offset = start }
        return start > frame.offset
    }

    /// What stands in a field; nil for what is entered.
    private mutating func item(
        _ step: TextSteps.Step,
        _ content: Range<Int>,
        _ body: RawSpan
    ) throws(WireError) -> TextItem? {
        var site = frame.site
        if let place = step.place { site.place = place }
        switch step.action {
        case .skip: break
        case .text: return TextItem(site: site, text: content)
        case .key:
            site.key = content
            return TextItem(site: site, bringsKey: true)
        case .member: return try member(content, site, body)
        case .memberValue: return value(content, site, body)
        case .value:
            if let text = AttributeValue.plainText(content, body) { return TextItem(site: site, text: text) }
            enter(content, MessageType.anyValue.rawValue, site, depth: frame.depth)
        case .container:
            guard frame.depth &+ 1 < nestingMax else { break }
            enter(content, step.type, site, depth: frame.depth &+ 1)
        case .unit:
            site.unit = unit
            enter(content, step.type, site, depth: 0)
        case .message: enter(content, step.type, site, depth: frame.depth)
        }
        return nil
    }

    /// Leaves the parts of the value out that came last.
    package mutating func skip(_ value: Range<Int>) {
        if frame.offset == value.lowerBound, frame.end == value.upperBound { frame.offset = frame.end }
    }

    @inline(__always)
    private mutating func enter(_ content: Range<Int>, _ type: Int, _ site: TextSite, depth: Int) {
        outer.append(frame)
        frame = Frame(
            offset: content.lowerBound,
            end: content.upperBound,
            type: type,
            memberTag: steps.memberTag(of: type),
            site: site,
            depth: depth
        )
    }

    /// A `KeyValue` in the form that nearly all have, a key and then a value; any other one is entered.
    @inline(__always)
    private mutating func member(
        _ content: Range<Int>,
        _ outer: TextSite,
        _ body: RawSpan
    ) throws(WireError) -> TextItem? {
        var site = outer
        let isAttribute = frame.depth == 0
        var cursor = WireCursor(content)
        if try cursor.tag(in: body) == 0x0A {
            let key = try cursor.content(in: body)
            if !cursor.isAtEnd, try cursor.tag(in: body) == 0x12 {
                let value = try cursor.content(in: body)
                if cursor.isAtEnd {
                    site.key = key
                    var item = self.value(value, site, body)
                    item.bringsKey = true
                    if isAttribute { item.member = content }
                    return item
                }
            }
        }
        site.key = try lastKey(content, body)
        enter(content, MessageType.keyValue.rawValue, site, depth: frame.depth)
        return nil
    }

    /// The value of a name, entered where there may be texts in it.
    @inline(__always)
    private mutating func value(_ content: Range<Int>, _ site: TextSite, _ body: RawSpan) -> TextItem {
        var item = TextItem(site: site, value: content)
        if let text = AttributeValue.plainText(content, body) {
            item.text = text
        } else if !AttributeValue.isSmallNumber(content, body) {
            enter(content, MessageType.anyValue.rawValue, site, depth: frame.depth)
        }
        return item
    }

    /// The key of a `KeyValue` that decoders see.
    private func lastKey(_ content: Range<Int>, _ body: RawSpan) throws(WireError) -> Range<Int> {
        var key = content.upperBound..<content.upperBound
        var cursor = WireCursor(content)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: body)
            if tag == 0x0A { key = try cursor.content(in: body) } else { try cursor.skip(tag, in: body) }
        }
        return key
    }
}

/// What a walk over texts does at the fields of each message.
struct TextSteps: Sendable {
    enum Action: UInt8, Sendable {
        case skip, text
        /// The key of a `KeyValue`, and its value.
        case key, memberValue
        /// A `KeyValue`, and an `AnyValue` without a name.
        case member, value
        /// An `ArrayValue` or a `KeyValueList`.
        case container
        /// A span, log record or metric.
        case unit
        case message
    }

    struct Step: Sendable {
        var action = Action.skip
        /// Raw value of the `MessageType` that is entered.
        var type = 0
        /// Where its texts stand; nil for where those of the message around do.
        var place: TextPlace?
    }

    static let all = TextSteps()

    /// Numbers of fields are below it.
    static let numberEnd = 32
    /// By raw value of `MessageType` and number of the field.
    private let steps: [Step]
    /// By raw value of `MessageType`.
    private let memberTags: [UInt8]
    /// By raw value of `MessageType` and first byte of a field.
    private let rests: [UInt8]
    /// What stands for a number in one byte, and for a length in one byte.
    static let varint: UInt8 = 1
    static let lengthDelimited: UInt8 = 2

    init() {
        var steps = [Step](repeating: Step(), count: MessageType.allCases.count * Self.numberEnd)
        for type in MessageType.allCases {
            for field in MessageSchema.all[type.rawValue].fields {
                steps[type.rawValue * Self.numberEnd + field.number] = Self.step(field, in: type)
            }
        }
        self.steps = steps
        memberTags = MessageType.allCases.map { type in
            let field = MessageSchema.all[type.rawValue].fields.first { Self.step($0, in: type).action == .member }
            return UInt8(field?.tag ?? 0)
        }
        rests = MessageType.allCases.flatMap { type in
            (0..<256).map { byte in
                guard (8..<0x80).contains(byte) else { return 0 }
                switch UInt32(byte & 7) {
                case WireType.varint: return Self.varint
                case WireType.fixed64: return 9
                case WireType.fixed32: return 5
                case WireType.lengthDelimited:
                    let isSkipped = steps[type.rawValue * Self.numberEnd + byte >> 3].action == .skip
                    return isSkipped ? Self.lengthDelimited : 0
                default: return 0
                }
            }
        }
    }

    private static func step(_ field: FieldSchema, in message: MessageType) -> Step {
        var step = Step(place: TextPlace(of: field.number, in: message))
        switch field.kind {
        case .string where message == .keyValue: step.action = .key
        case .string: step.action = "\(field.name)" == "traceState" ? .skip : .text
        case .bytes where message == .anyValue: step.action = .text
        case .message(let type):
            step.type = type.rawValue
            step.place = step.place ?? TextPlace(in: type)
            step.action =
                switch type {
                case .keyValue: .member
                case .anyValue: message == .keyValue ? .memberValue : .value
                case .arrayValue, .keyValueList: .container
                case .span, .logRecord, .metric: .unit
                default: .message
                }
        default: break
        }
        return step
    }

    /// The step for a field of a message, by number and raw value.
    @inline(__always)
    func of(_ number: Int, in type: Int) -> Step { steps[type &* Self.numberEnd &+ number] }

    /// How many bytes a field takes that begins with this byte and holds no text, by raw value of its message; `varint` or
    /// `lengthDelimited` where the next byte tells, and 0 where it may hold a text.
    @inline(__always)
    func rest(of byte: UInt8, in type: Int) -> UInt8 { rests[type &* 256 &+ Int(byte)] }

    /// The tag of the attributes of a message, by raw value; 0 where it has none.
    @inline(__always)
    func memberTag(of type: Int) -> UInt8 { memberTags[type] }
}
