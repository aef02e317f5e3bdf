import Basics

/// JSON text in, wire bytes out.
struct JSONTranscoder {
    private(set) var output: [UInt8] = []
    private(set) var deviations: DeviationCounts
    private var scanner = JSONScanner(depthMax: OTLPJSON.depthMax)
    private let tables = SchemaTables.all

    private let bytesMax: Int

    /// - Parameters:
    ///   - capacity: Bytes set aside for the output at once.
    ///   - bytesMax: Bytes that it may become, give or take one value.
    ///   - deviations: Counted on from there.
    init(capacity: Int, bytesMax: Int, _ deviations: DeviationCounts) {
        self.deviations = deviations
        self.bytesMax = bytesMax
        output.reserveCapacity(capacity)
    }

    /// Reads a whole text.
    mutating func request(of signal: Signal, _ text: RawSpan) throws(WireError) {
        guard case .objectStart = try next(text) else { throw fail("a request is an object") }
        let members = try message(tables.messages[MessageType(requestOf: signal).rawValue], text)
        if members.known == 0, let unknown = members.unknown { throw foreign(unknown, signal, text) }
        _ = try next(text)
    }

    /// An object that is no request of the signal, although it is not empty.
    private func foreign(_ name: JSONString, _ signal: Signal, _ text: RawSpan) -> WireError {
        let found = String(decoding: name.unescaped(in: text), as: UTF8.self).excerpt(max: 40)
        let other = Signal.allCases.first { $0.requestMember == found || $0.snakeCaseMember == found }
        let place = other.map { ", which goes to the path of \($0.name), \($0.defaultPath) by default" } ?? ""
        return .malformed(
            offset: name.range.lowerBound,
            reason: "expected \(signal.requestMember), found \(found)\(place)"
        )
    }

    /// The next token.
    @inline(__always)
    private mutating func next(_ text: RawSpan) throws(WireError) -> JSONToken {
        do throws(JSONSyntaxError) {
            return try scanner.next(in: text)
        } catch {
            throw .malformed(offset: error.offset, reason: error.reason)
        }
    }

    /// Arrays of numbers take up to four times their text.
    @inline(__always)
    private func checkSize() throws(WireError) {
        guard output.count <= bytesMax else { throw .overLimit("what it says takes more than \(bytesMax) bytes") }
    }

    private func fail(_ reason: String) -> WireError { .malformed(offset: scanner.tokenStart, reason: reason) }

    /// Reads the members of an object whose brace was read.
    ///
    /// - Returns: How many are known, and one that is not.
    @discardableResult
    private mutating func message(
        _ schema: MessageTraits,
        _ text: RawSpan
    ) throws(WireError) -> (known: Int, unknown: JSONString?) {
        var members: (known: Int, unknown: JSONString?) = (0, nil)
        while case .key(let name) = try next(text) {
            guard let index = field(name, schema, text) else {
                members.unknown = members.unknown ?? name
                try skip(try next(text), text)
                continue
            }
            members.known += 1
            try checkSize()
            let field = tables.fields[index]
            let token = try next(text)
            if case .null = token { continue }
            if !field.isRepeated {
                try value(token, field, schema, text)
            } else if case .arrayStart = token {
                if field.isPackable { try numbers(field, schema, text) } else { try elements(field, schema, text) }
            } else {
                try mismatch(token, field, schema, text)
            }
        }
        return members
    }

    private mutating func elements(
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) throws(WireError) {
        while true {
            let element = try next(text)
            if case .arrayEnd = element { return }
            try value(element, field, schema, text)
        }
    }

    /// Writes the numbers of an array one behind the other into one field.
    private mutating func numbers(
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) throws(WireError) {
        let tagStart = output.count
        output.appendVarint(field.number << 3 | Int(WireType.lengthDelimited))
        let start = output.openLength()
        var isFlawed = false
        while true {
            let element = try next(text)
            try checkSize()
            switch element {
            case .arrayEnd:
                if output.count == start { output.removeLast(start - tagStart) } else { output.closeLength(start) }
                if isFlawed { try otherType(field, schema) }
                return
            case .string(let string):
                if let bits = number(string.range, field, text) { append(bits, field) } else { isFlawed = true }
            case .number(let range):
                if let bits = number(range, field, text) { append(bits, field) } else { isFlawed = true }
            default:
                isFlawed = true
                try skip(element, text)
            }
        }
    }

    /// The index of the field that a member's name means; nil for an unknown one.
    private mutating func field(_ name: JSONString, _ schema: MessageTraits, _ text: RawSpan) -> Int? {
        let found: (index: Int, isSnakeCase: Bool)?
        if name.isPlain {
            found = tables.field(text, name.range, of: schema.type)
        } else {
            let plain = name.unescaped(in: text)
            found = tables.field(plain.span.bytes, 0..<plain.count, of: schema.type)
        }
        guard let found else { return nil }
        if found.isSnakeCase { deviations.snakeCase += 1 }
        return found.index
    }

    /// Consumes the rest of a value whose first token was read.
    private mutating func skip(_ token: JSONToken, _ text: RawSpan) throws(WireError) {
        switch token {
        case .objectStart, .arrayStart: break
        default: return
        }
        let level = scanner.depth
        while scanner.depth >= level { _ = try next(text) }
    }

    /// Handles a value of a type that the field cannot have.
    private mutating func mismatch(
        _ token: JSONToken,
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) throws(WireError) {
        if schema.isolatesFlaws { try skip(token, text) }
        try otherType(field, schema)
    }

    /// Says that a field has a value of a type that it cannot have.
    ///
    /// Inside units, resources and scopes it is written with a wire type that the index refuses.
    private mutating func otherType(_ field: FieldSchema, _ schema: MessageTraits) throws(WireError) {
        guard schema.isolatesFlaws else { throw fail("\(field.name) has another type than OTLP gives it") }
        let isFixed32 = field.kind.wireType == WireType.fixed32
        output.appendVarint(field.number << 3 | Int(isFixed32 ? WireType.varint : WireType.fixed32))
        if isFixed32 { output.append(0) } else { output.appendFixed32(0) }
    }

    /// Writes one value of a field, whose first token was read.
    private mutating func value(
        _ token: JSONToken,
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) throws(WireError) {
        let isWritten: Bool
        switch token {
        case .objectStart:
            if case .message(let type) = field.kind {
                return try submessage(field, tables.messages[type.rawValue], text)
            }
            isWritten = false
        case .string(let string): isWritten = write(string, field, schema, text)
        case .number(let range): isWritten = writeNumber(range, field, schema, text)
        case .bool(let bool): isWritten = write(bool, field)
        case .null: isWritten = writeNull(field)
        case .arrayStart, .arrayEnd, .objectEnd, .key, .end: isWritten = false
        }
        if !isWritten { try mismatch(token, field, schema, text) }
    }

    private mutating func submessage(
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) throws(WireError) {
        output.appendVarint(field.tag)
        let start = output.openLength(reserving: schema.lengthSize)
        try message(schema, text)
        output.closeLength(start, reserved: schema.lengthSize)
    }
}

extension JSONTranscoder {
    private mutating func write(
        _ string: JSONString,
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) -> Bool {
        switch field.kind {
        case .string: return writeText(string, field, text)
        case .id(let count): return writeID(string, count, field, text)
        case .bytes: return writeBytes(string, field, text)
        case .enumeration(let type): return writeEnum(string.range, type, field, schema, text)
        case .double, .int64, .uint64, .uint32, .sint32, .fixed32, .fixed64, .sfixed64:
            return writeNumber(string.range, field, schema, text)
        case .bool, .message: return false
        }
    }

    private mutating func write(_ bool: Bool, _ field: FieldSchema) -> Bool {
        guard case .bool = field.kind else { return false }
        write(bool ? 1 : 0, field)
        return true
    }

    /// An element that is null is an empty message.
    private mutating func writeNull(_ field: FieldSchema) -> Bool {
        guard case .message = field.kind else { return false }
        output.appendVarint(field.tag)
        output.append(0)
        return true
    }

    private mutating func writeText(_ string: JSONString, _ field: FieldSchema, _ text: RawSpan) -> Bool {
        guard !string.range.isEmpty || field.presence != .implicit else { return true }
        output.appendVarint(field.tag)
        if string.isPlain {
            output.appendVarint(string.range.count)
            output.append(text, string.range)
        } else {
            let size = varintSize(string.range.count)
            let start = output.openLength(reserving: size)
            string.appendUnescaped(from: text, to: &output)
            output.closeLength(start, reserved: size)
        }
        return true
    }

    /// An id that cannot be read is written with a length that no id has.
    private mutating func writeID(_ string: JSONString, _ count: Int, _ field: FieldSchema, _ text: RawSpan) -> Bool {
        guard !string.range.isEmpty else { return true }
        output.appendVarint(field.tag)
        if string.range.count == count * 2, appendHexadecimal(string.range, count, text) { return true }
        if let bytes = Base64.decode(text, string.range), bytes.count == count {
            deviations.base64ID += 1
            output.appendVarint(count)
            output.append(contentsOf: bytes)
        } else {
            output.append(1)
            output.append(0)
        }
        return true
    }

    /// Appends an id of 8 or 16 bytes; false, and nothing appended, where a digit is none.
    private mutating func appendHexadecimal(_ range: Range<Int>, _ count: Int, _ text: RawSpan) -> Bool {
        let start = output.count
        output.append(UInt8(truncatingIfNeeded: count))
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 16) {
            guard let word = text.hexadecimalWord(at: offset) else {
                output.removeLast(output.count - start)
                return false
            }
            output.append(word: word.byteSwapped)
        }
        return true
    }

    private mutating func writeBytes(_ string: JSONString, _ field: FieldSchema, _ text: RawSpan) -> Bool {
        let plain = string.isPlain ? nil : string.unescaped(in: text)
        let bytes = plain.map { Base64.decode($0.span.bytes, 0..<$0.count) } ?? Base64.decode(text, string.range)
        guard let bytes else { return false }
        output.appendVarint(field.tag)
        output.appendVarint(bytes.count)
        output.append(contentsOf: bytes)
        return true
    }

    private mutating func writeEnum(
        _ range: Range<Int>,
        _ type: EnumType,
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) -> Bool {
        guard let value = type.names.firstIndex(where: { text.equals($0, range) }) else {
            return writeNumber(range, field, schema, text)
        }
        deviations.enumName += 1
        write(UInt64(value), field)
        return true
    }

    private mutating func writeNumber(
        _ range: Range<Int>,
        _ field: FieldSchema,
        _ schema: MessageTraits,
        _ text: RawSpan
    ) -> Bool {
        if let bits = number(range, field, text) {
            write(bits, field)
        } else {
            guard field.isInt64, let double = schema.double, let value = JSONNumber.wide(text, range) else {
                return false
            }
            deviations.wideInteger += 1
            write(value.bitPattern, double)
        }
        return true
    }

    /// A number as a field writes it; nil where the field has none, or not that one.
    private func number(_ range: Range<Int>, _ field: FieldSchema, _ text: RawSpan) -> UInt64? {
        switch field.kind {
        case .int64, .sfixed64: JSONNumber.signed(text, range).map { UInt64(bitPattern: $0) }
        case .enumeration:
            JSONNumber.signed(text, range).flatMap { Int32(exactly: $0) }.map { UInt64(bitPattern: Int64($0)) }
        case .sint32:
            JSONNumber.signed(text, range).flatMap { Int32(exactly: $0) }
                .map { UInt64(UInt32(bitPattern: $0 << 1 ^ $0 >> 31)) }
        case .uint32, .fixed32: JSONNumber.unsigned(text, range).flatMap { $0 <= UInt64(UInt32.max) ? $0 : nil }
        case .uint64, .fixed64: JSONNumber.unsigned(text, range)
        case .double: JSONNumber.double(text, range)?.bitPattern
        case .string, .bytes, .id, .bool, .message: nil
        }
    }

    /// Writes a number unless it is zero and that goes without saying.
    private mutating func write(_ bits: UInt64, _ field: FieldSchema) {
        guard bits != 0 || field.presence != .implicit else { return }
        output.appendVarint(field.tag)
        append(bits, field)
    }

    private mutating func append(_ bits: UInt64, _ field: FieldSchema) {
        switch field.kind.wireType {
        case WireType.fixed64: output.appendFixed64(bits)
        case WireType.fixed32: output.appendFixed32(UInt32(truncatingIfNeeded: bits))
        default: output.appendVarint(bits)
        }
    }
}

extension RawSpan {
    /// The number that 16 hexadecimal digits of either case say.
    fileprivate func hexadecimalWord(at start: Int) -> UInt64? {
        var word: UInt64 = 0
        for offset in start..<start &+ 16 {
            guard let digit = byte(at: offset).hexDigit else { return nil }
            word = word << 4 | UInt64(digit)
        }
        return word
    }
}
