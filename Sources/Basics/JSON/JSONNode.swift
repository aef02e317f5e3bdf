/// A JSON value that knows where it stood in its text.
///
/// For small documents: configuration, rules, answers of servers. Telemetry is walked with `JSONScanner` instead.
package struct JSONNode: Sendable {
    /// What it is.
    package enum Value: Sendable {
        case object([Member])
        case array([JSONNode])
        case string(String)
        /// The digits as written.
        case number(String)
        case bool(Bool)
        case null
    }

    /// One member of an object, in the order of the text; a name may repeat.
    package struct Member: Sendable {
        package let name: String
        /// Byte offset of the name's opening quote.
        package let nameOffset: Int
        package let node: JSONNode

        package init(name: String, nameOffset: Int, node: JSONNode) {
            self.name = name
            self.nameOffset = nameOffset
            self.node = node
        }
    }

    package let value: Value
    /// Byte offset of its first byte.
    package let offset: Int

    package init(_ value: Value, offset: Int = 0) {
        self.value = value
        self.offset = offset
    }

    /// Parses a whole text.
    package init(parsing text: [UInt8]) throws(JSONSyntaxError) {
        let span = text.span.bytes
        var scanner = JSONScanner()
        let first = try scanner.next(in: span)
        self = try Self.node(first, &scanner, span)
        _ = try scanner.next(in: span)
    }

    /// The member of that name; the first where it repeats.
    ///
    /// Nil where this is no object.
    package subscript(name: String) -> JSONNode? {
        guard case .object(let members) = value else { return nil }
        return members.first { $0.name == name }?.node
    }

    /// The string, where it is one.
    package var string: String? {
        guard case .string(let string) = value else { return nil }
        return string
    }

    /// The elements, where it is an array.
    package var elements: [JSONNode]? {
        guard case .array(let elements) = value else { return nil }
        return elements
    }

    /// The members, where it is an object.
    package var members: [Member]? {
        guard case .object(let members) = value else { return nil }
        return members
    }

    /// The number, where it is one.
    package var double: Double? {
        guard case .number(let digits) = value else { return nil }
        return Double(digits)
    }

    /// The number, where it is a whole one that fits.
    package var integer: Int? {
        guard case .number(let digits) = value else { return nil }
        return Int(digits)
    }

    /// The truth value, where it is one.
    package var bool: Bool? {
        guard case .bool(let bool) = value else { return nil }
        return bool
    }

    /// Whether it says the same as another one, wherever both stand in their texts and in whatever order members come.
    package func hasSameValue(as other: JSONNode) -> Bool {
        switch (value, other.value) {
        case (.object(let own), .object(let others)):
            guard own.count == others.count else { return false }
            let (own, others) = (own.sorted { $0.name < $1.name }, others.sorted { $0.name < $1.name })
            return zip(own, others).allSatisfy { $0.name == $1.name && $0.node.hasSameValue(as: $1.node) }
        case (.array(let own), .array(let others)):
            return own.count == others.count && zip(own, others).allSatisfy { $0.hasSameValue(as: $1) }
        case (.string(let own), .string(let other)): return own.utf8.elementsEqual(other.utf8)
        case (.number(let own), .number(let other)): return own == other
        case (.bool(let own), .bool(let other)): return own == other
        case (.null, .null): return true
        default: return false
        }
    }

    private static func node(
        _ token: JSONToken,
        _ scanner: inout JSONScanner,
        _ text: RawSpan
    ) throws(JSONSyntaxError) -> JSONNode {
        let offset = scanner.tokenStart
        switch token {
        case .string(let string): return JSONNode(.string(string.value(in: text)), offset: offset)
        case .number(let range): return JSONNode(.number(text.text(range)), offset: offset)
        case .bool(let bool): return JSONNode(.bool(bool), offset: offset)
        case .objectStart: return JSONNode(.object(try members(&scanner, text)), offset: offset)
        case .arrayStart: return JSONNode(.array(try elements(&scanner, text)), offset: offset)
        case .null, .objectEnd, .arrayEnd, .key, .end: return JSONNode(.null, offset: offset)
        }
    }

    private static func members(_ scanner: inout JSONScanner, _ text: RawSpan) throws(JSONSyntaxError) -> [Member] {
        var members: [Member] = []
        while case .key(let name) = try scanner.next(in: text) {
            let nameOffset = scanner.tokenStart
            let token = try scanner.next(in: text)
            let node = try node(token, &scanner, text)
            members.append(Member(name: name.value(in: text), nameOffset: nameOffset, node: node))
        }
        return members
    }

    private static func elements(_ scanner: inout JSONScanner, _ text: RawSpan) throws(JSONSyntaxError) -> [JSONNode] {
        var elements: [JSONNode] = []
        while true {
            let token = try scanner.next(in: text)
            if token == .arrayEnd { return elements }
            elements.append(try node(token, &scanner, text))
        }
    }
}
