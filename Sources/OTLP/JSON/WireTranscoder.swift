import Basics

/// Wire bytes in, JSON text out.
struct WireTranscoder {
    /// One field of an open message.
    private struct Item {
        /// Index into the fields of the tables.
        var field: Int32
        /// Whether `content` is numbers that stand one behind the other.
        var isPacked = false
        var content: Range<Int>
        /// The value of a number.
        var bits: UInt64
    }

    private(set) var writer: JSONWriter
    private let tables = SchemaTables.all
    /// The fields of all open messages, the innermost last.
    private var items: [Item] = []
    private var depth = 0

    init(capacity: Int) {
        writer = JSONWriter(reservingCapacity: capacity)
    }

    /// Writes a whole request.
    mutating func request(of signal: Signal, _ text: RawSpan) throws(WireError) {
        let schema = tables.messages[MessageType(requestOf: signal).rawValue]
        writer.beginObject()
        try collect(schema, 0..<text.byteCount, text)
        try members(schema, from: 0, text)
        writer.endObject()
    }

    /// Puts the known fields of one part of a message behind `items`.
    private mutating func collect(_ schema: MessageTraits, _ range: Range<Int>, _ text: RawSpan) throws(WireError) {
        var reader = WireReader(range)
        while let field = try reader.next(in: text) {
            guard let index = tables.field(field.number, of: schema.type) else { continue }
            if tables.fields[index].kind.wireType == UInt32(field.form.rawValue) {
                items.append(Item(field: Int32(truncatingIfNeeded: index), content: field.content, bits: field.value))
            } else if tables.fields[index].isPackable, field.form == .lengthDelimited {
                let field = Item(
                    field: Int32(truncatingIfNeeded: index),
                    isPacked: true,
                    content: field.content,
                    bits: 0
                )
                items.append(field)
            }
        }
    }

    /// Writes what was collected since `first`, and forgets it.
    private mutating func members(_ schema: MessageTraits, from first: Int, _ text: RawSpan) throws(WireError) {
        arrange(schema, from: first)
        let end = items.count
        var start = first
        while start < end {
            let field = tables.fields[Int(items[start].field)]
            var stop = start + 1
            while stop < end, items[stop].field == items[start].field { stop += 1 }
            if field.isRepeated {
                writer.key(field.name)
                writer.beginArray()
                for index in start..<stop {
                    if items[index].isPacked {
                        try numbers(field, items[index].content, text)
                    } else {
                        try value(field, index..<index + 1, text)
                    }
                }
                writer.endArray()
            } else if isSaid(field, items[stop - 1]) {
                writer.key(field.name)
                try value(field, start..<stop, text)
            }
            start = stop
        }
        items.removeLast(items.count - first)
    }

    /// Brings the occurrences of each field together; of fields that rule one another out only the last one stays.
    private mutating func arrange(_ schema: MessageTraits, from first: Int) {
        guard items.count - first > 1 else { return }
        if schema.hasOneof { dropOverruled(from: first) }
        guard items.count - first > 1 else { return }
        for index in first + 1..<items.count where items[index].field < items[index - 1].field {
            items[first...].sort { ($0.field, $0.content.lowerBound) < ($1.field, $1.content.lowerBound) }
            return
        }
    }

    /// Drops the fields of a oneof that a later one overrules, parts of the same field before that one included.
    private mutating func dropOverruled(from first: Int) {
        var last: Int32?
        var overruled: Int?
        for index in (first..<items.count).reversed() where tables.fields[Int(items[index].field)].presence == .oneof {
            guard let field = last else {
                last = items[index].field
                continue
            }
            if items[index].field != field {
                overruled = index
                break
            }
        }
        guard let overruled else { return }
        let kept = items[first...overruled].filter { tables.fields[Int($0.field)].presence != .oneof }
        items.replaceSubrange(first...overruled, with: kept)
    }

    /// Whether a singular field is written: zero and empty go without saying, unless they can be told from absence.
    private func isSaid(_ field: FieldSchema, _ item: Item) -> Bool {
        guard field.presence == .implicit else { return true }
        switch field.kind {
        case .message: return true
        case .string, .bytes, .id: return !item.content.isEmpty
        case .bool, .uint32, .sint32, .int64, .uint64, .fixed32, .fixed64, .sfixed64, .double, .enumeration:
            return item.bits != 0
        }
    }

    /// Writes one value; a message from all its parts, anything else from the last.
    private mutating func value(_ field: FieldSchema, _ parts: Range<Int>, _ text: RawSpan) throws(WireError) {
        let item = items[parts.upperBound - 1]
        switch field.kind {
        case .message(let type): try submessage(tables.messages[type.rawValue], parts, text)
        case .string:
            guard text.isText(item.content) else {
                throw .malformed(offset: item.content.lowerBound, reason: "a string is not valid UTF-8")
            }
            writer.string(text, item.content)
        case .bytes: writer.plainString { Base64.append(text, item.content, to: &$0) }
        case .id: writer.plainString { $0.appendHexadecimal(text, item.content) }
        default: number(field, item.bits)
        }
    }

    /// Writes numbers that stand one behind the other.
    private mutating func numbers(_ field: FieldSchema, _ range: Range<Int>, _ text: RawSpan) throws(WireError) {
        var cursor = WireCursor(range)
        while !cursor.isAtEnd { number(field, try cursor.number(field.kind.wireType, in: text)) }
    }

    private mutating func number(_ field: FieldSchema, _ bits: UInt64) {
        switch field.kind {
        case .bool: writer.bool(bits != 0)
        case .uint32, .fixed32: writer.integer(UInt32(truncatingIfNeeded: bits))
        case .enumeration: writer.integer(Int32(truncatingIfNeeded: bits))
        case .sint32:
            let bits = UInt32(truncatingIfNeeded: bits)
            writer.integer(Int32(bitPattern: bits >> 1) ^ -Int32(bits & 1))
        case .int64, .sfixed64: writer.plainString { $0.appendDecimal(Int64(bitPattern: bits)) }
        case .fixed64, .uint64: writer.plainString { $0.appendDecimal(bits) }
        case .double: double(Double(bitPattern: bits))
        case .message, .string, .bytes, .id: break
        }
    }

    private mutating func double(_ value: Double) {
        if value.isFinite { return writer.double(value) }
        writer.string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
    }

    private mutating func submessage(
        _ schema: MessageTraits,
        _ parts: Range<Int>,
        _ text: RawSpan
    ) throws(WireError) {
        guard depth < OTLPJSON.depthMax else {
            throw .malformed(offset: items[parts.lowerBound].content.lowerBound, reason: "nested too deep")
        }
        depth += 1
        let first = items.count
        for part in parts { try collect(schema, items[part].content, text) }
        writer.beginObject()
        try members(schema, from: first, text)
        writer.endObject()
        depth -= 1
    }
}

extension [UInt8] {
    /// Appends two lower-case digits for each byte.
    fileprivate mutating func appendHexadecimal(_ text: RawSpan, _ range: Range<Int>) {
        for offset in range {
            let byte = text.byte(at: offset)
            append((byte >> 4).lowercaseHexDigit)
            append((byte & 15).lowercaseHexDigit)
        }
    }

    fileprivate mutating func appendDecimal(_ value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(value.magnitude)
    }

    fileprivate mutating func appendDecimal(_ value: UInt64) {
        let start = count
        var rest = value
        repeat {
            append(UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0"))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }
}
