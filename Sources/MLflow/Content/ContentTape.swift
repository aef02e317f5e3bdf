import Basics
import OTLP
import Settings

/// Content of one span taken apart: JSON texts, structured values and flattened lists in one form.
///
/// Nodes lie in one array, a container before what it holds; all of them point into the request's bytes, so that nothing is
/// copied before it is written. Children of an object come in pairs of name and value.
struct ContentTape: ~Copyable {
    enum Kind: UInt8 {
        case null
        case yes
        case no
        /// A JSON number as it is written.
        case number
        /// An `AnyValue` message that holds a number or bytes.
        case scalar
        /// UTF-8 as it stands.
        case text
        /// The inside of a JSON string with escapes.
        case escaped
        case object
        case array
    }

    /// Where a container came from, which decides what its range covers.
    enum Origin: UInt8 {
        /// Its JSON text.
        case json
        /// The `AnyValue` message.
        case wire
        /// Nothing: it was put together from several attributes.
        case joined
    }

    struct Node: BitwiseCopyable {
        let kind: Kind
        let origin: Origin
        /// Of a member's name: the raw value of the field that goes by it.
        let field: UInt8
        private let lower: UInt32
        private var upper: UInt32
        private var end: UInt32

        @inline(__always)
        init(_ kind: Kind, _ origin: Origin, _ range: Range<Int>, next: Int, field: UInt8 = ContentFields.unknown) {
            self.kind = kind
            self.origin = origin
            self.field = field
            lower = UInt32(truncatingIfNeeded: range.lowerBound)
            upper = UInt32(truncatingIfNeeded: range.upperBound)
            end = UInt32(truncatingIfNeeded: next)
        }

        /// What it covers of the request's bytes.
        var range: Range<Int> { Range(uncheckedBounds: (Int(lower), Int(max(lower, upper)))) }
        /// The node after it and everything it holds; of a container that is being read, the one around it.
        var next: Int { Int(end) }

        mutating func close(upper: Int, next: Int) {
            self.upper = UInt32(truncatingIfNeeded: upper)
            end = UInt32(truncatingIfNeeded: next)
        }
    }

    /// Containers inside containers, at most; what is deeper stays text, because a destination's protobuf reader stops at
    /// 100 messages inside each other and every container takes three.
    static let depthMax = 24
    /// Nodes of one span after which no other value is taken apart, and those whose memory stays for the next span.
    static let nodesMax = 1 << 20
    private static let nodesKept = 1 << 15

    var nodes = Stack<Node>()
    /// What mapping the request has cost and may cost.
    var account = MappingAccount()
    /// By node: the names that stand nowhere in the request.
    private(set) var ownNames: [Int: [UInt8]] = [:]
    private let names = ContentFields.names

    /// Forgets everything, for the next span.
    mutating func clear() {
        if !ownNames.isEmpty { ownNames.removeAll(keepingCapacity: true) }
        if nodes.count > Self.nodesKept { nodes = Stack() } else { nodes.truncate(to: 0) }
    }

    /// Whether one more value may be taken apart.
    var hasRoom: Bool { account.hasSteps && nodes.count < Self.nodesMax }

    /// Charges for a value of `size` bytes that was taken apart into the nodes from `start` on.
    mutating func charge(from start: Int, size: Int) {
        account.steps &+= nodes.count &- start &+ 1 &+ size &>> 4
    }

    /// Adds a leaf.
    mutating func append(_ kind: Kind, _ origin: Origin = .joined, _ range: Range<Int> = 0..<0) -> Int {
        nodes.append(Node(kind, origin, range, next: nodes.count + 1))
        return nodes.count - 1
    }

    /// Adds the name of a member.
    @inline(__always)
    mutating func appendName(_ kind: Kind, _ origin: Origin, _ range: Range<Int>, _ bytes: RawSpan) {
        nodes.append(Node(kind, origin, range, next: nodes.count + 1, field: names.field(bytes, range)))
    }

    /// Adds the name of a member that stands nowhere in the request: one of the rules' words.
    ///
    /// Its range is empty; `field` tells readers what it is, and `ownNames` writers how it is written.
    mutating func appendName(ownWord word: [UInt8]) {
        let field = names.field(word.span.bytes, 0..<word.count)
        ownNames[nodes.count] = word
        nodes.append(Node(.text, .joined, 0..<0, next: nodes.count + 1, field: field))
    }

    /// Adds a container that is filled by what is added next, until it is closed.
    mutating func begin(_ kind: Kind, _ origin: Origin = .joined, at offset: Int = 0) -> Int {
        nodes.append(Node(kind, origin, offset..<offset, next: nodes.count + 1))
        return nodes.count - 1
    }

    /// Ends a container.
    mutating func end(_ node: Int, at offset: Int = 0) {
        nodes[node].close(upper: offset, next: nodes.count)
    }

    /// Takes back everything from a node on.
    mutating func truncate(to count: Int) {
        nodes.truncate(to: count)
    }

    /// The elements of an array, each a node.
    func elements(of node: Int) -> [Int] {
        var elements: [Int] = []
        var child = firstElement(of: node)
        while let element = child {
            elements.append(element)
            child = self.element(after: element, in: node)
        }
        return elements
    }

    /// The first element of an array; nil where it is empty, or no array.
    func firstElement(of node: Int) -> Int? {
        nodes[node].kind == .array && nodes[node].next > node + 1 ? node + 1 : nil
    }

    /// The element behind one of an array.
    func element(after element: Int, in node: Int) -> Int? {
        let next = nodes[element].next
        return next < nodes[node].next ? next : nil
    }

    /// The last member of an object that goes by a field's name.
    func member(_ field: ContentField, of node: Int) -> Int? {
        guard nodes[node].kind == .object else { return nil }
        var found: Int?
        var key = node + 1
        while key + 1 < nodes[node].next {
            if nodes[key].field == field.rawValue { found = key + 1 }
            key = nodes[key + 1].next
        }
        return found
    }

    /// Whether a node says nothing: null, empty text or an empty container.
    func isEmpty(_ node: Int) -> Bool {
        switch nodes[node].kind {
        case .null: true
        case .text, .escaped: nodes[node].range.isEmpty
        case .object, .array: nodes[node].next == node + 1
        case .yes, .no, .number, .scalar: false
        }
    }
}

extension ContentTape {
    /// Adds an `AnyValue` message.
    ///
    /// - Returns: Its root; nil, with nothing added, where there is no room for it.
    mutating func append(value range: Range<Int>, of bytes: RawSpan) -> Int? {
        guard hasRoom else { return nil }
        let start = nodes.count
        let root = append(range, of: bytes, depth: 0)
        charge(from: start, size: range.count)
        return root
    }

    /// Adds an `AnyValue` message inside of others; nil, with nothing added, where it is nested too deep.
    private mutating func append(_ range: Range<Int>, of bytes: RawSpan, depth: Int) -> Int? {
        let start = nodes.count
        guard depth < Self.depthMax else { return nil }
        do {
            try appendValue(range, of: bytes, depth)
            return start
        } catch {
            truncate(to: start)
            return nil
        }
    }

    private mutating func appendValue(_ range: Range<Int>, of bytes: RawSpan, _ depth: Int) throws(WireError) {
        var reader = WireReader(range)
        var last: WireField?
        while let field = try reader.next(in: bytes) { last = field }
        guard let last else {
            _ = append(.null, .wire, range)
            return
        }
        switch last.number {
        case 1: _ = append(.text, .wire, last.content)
        case 2: _ = append(last.value == 0 ? .no : .yes, .wire, range)
        case 5:
            let node = begin(.array, .wire, at: range.lowerBound)
            var values = WireReader(last.content)
            while let value = try values.next(in: bytes) {
                guard value.number == 1 else { continue }
                if append(value.content, of: bytes, depth: depth + 1) == nil { _ = append(.null, .wire) }
            }
            end(node, at: range.upperBound)
        case 6:
            let node = begin(.object, .wire, at: range.lowerBound)
            var members = WireReader(last.content)
            while let member = try members.next(in: bytes) {
                if member.number == 1 { try appendMember(member.content, of: bytes, depth) }
            }
            end(node, at: range.upperBound)
        default: _ = append(.scalar, .wire, range)
        }
    }

    private mutating func appendMember(_ range: Range<Int>, of bytes: RawSpan, _ depth: Int) throws(WireError) {
        var reader = WireReader(range)
        var key = range.lowerBound..<range.lowerBound
        var value: Range<Int>?
        while let field = try reader.next(in: bytes) {
            if field.number == 1 { key = field.content }
            if field.number == 2 { value = field.content }
        }
        appendName(.text, .wire, key, bytes)
        guard let value, append(value, of: bytes, depth: depth + 1) != nil else {
            _ = append(.null, .wire)
            return
        }
    }
}
