import Basics

/// The values of a JSON text, to make it shorter.
struct JSONText {
    private struct Node {
        /// The name that it stands under with its quotes and what is behind it; empty in an array.
        var key = 0..<0
        /// A string between its quotes; of another value the whole; of a container what is left of it is in its children.
        var content = 0..<0
        var kind = Kind.scalar
        /// The node behind its last descendant.
        var next = 0
        /// Bytes that it takes when its strings are cut, without its name.
        var size = 0
    }

    private enum Kind { case scalar, string, array, object }

    /// Each before its children.
    private var nodes: [Node] = []

    /// How many values there are.
    var count: Int { nodes.count }

    /// Reads a text; nil for one that is no JSON, or a number or a word of it.
    init?(_ text: RawSpan) {
        guard let first = (0..<text.byteCount).first(where: { text.byte(at: $0) > 0x20 }),
            Self.beginnings.contains(text.byte(at: first)),
            (try? read(text)) != nil
        else { return nil }
    }

    private static let beginnings = Array("{[\"".utf8)
    /// Containers inside containers, at most: as deep as `redact` reads.
    private static let depthMax = 255

    private mutating func read(_ text: RawSpan) throws(JSONSyntaxError) {
        var scanner = JSONScanner(depthMax: Self.depthMax)
        var open: [Int] = []
        var key = 0..<0
        func add(_ kind: Kind, _ content: Range<Int>) {
            nodes.append(Node(key: key, content: content, kind: kind, next: nodes.count + 1))
            key = 0..<0
        }
        while true {
            let token = try scanner.next(in: text)
            switch token {
            case .end: return
            case .key(let name): key = name.range.lowerBound - 1..<name.range.upperBound + 1
            case .objectStart, .arrayStart:
                open.append(nodes.count)
                add(token == .objectStart ? .object : .array, 0..<0)
            case .objectEnd, .arrayEnd: nodes[open.removeLast()].next = nodes.count
            case .string(let string): add(.string, string.range)
            case .number, .bool, .null: add(.scalar, scanner.tokenStart..<scanner.offset)
            }
        }
    }

    /// The same value in at most `max` bytes, without blanks.
    ///
    /// Strings are cut first, the longest most, those that are JSON themselves as such; then elements are left out of the middle
    /// of lists, and members of objects, and say how many.
    ///
    /// - Parameters:
    ///   - text: What was read.
    ///   - max: Bytes of the result.
    ///   - depth: How many texts it stands in.
    ///   - steps: Grows by one for each value of the texts inside.
    /// - Returns: JSON; nil where that cannot be.
    func shortened(_ text: RawSpan, to max: Int, depth: Int = 0, steps: inout Int) -> [UInt8]? {
        var shorter = self
        let structure = shorter.measure(stringMax: 0)
        let lengths = nodes.filter { $0.kind == .string }.map(\.content.count)
        var (low, high) = (Self.stringMin, max)
        while low < high {
            let middle = (low + high + 1) / 2
            let all = lengths.reduce(structure) { $0 + min($1, middle) }
            if all <= max { low = middle } else { high = middle - 1 }
        }
        var writer = Writer(text: shorter, stringMax: low, depth: depth)
        _ = writer.text.measure(stringMax: low)
        let isWritten = writer.write(0, text, in: max)
        steps += writer.steps
        return isWritten && writer.written.count <= max ? writer.written : nil
    }

    /// What a string is not cut below.
    private static let stringMin = 2 * TextCut.markMax

    /// Notes the size of every value; returns that of the whole.
    private mutating func measure(stringMax: Int) -> Int {
        for index in nodes.indices.reversed() {
            switch nodes[index].kind {
            case .scalar: nodes[index].size = nodes[index].content.count
            case .string: nodes[index].size = 2 + min(nodes[index].content.count, stringMax)
            case .array, .object:
                nodes[index].size = children(of: index).reduce(2) { $0 + field($1) + 1 }
            }
        }
        return nodes[0].size
    }

    /// The bytes of a value with its name.
    private func field(_ node: Int) -> Int {
        nodes[node].size + (nodes[node].key.isEmpty ? 0 : nodes[node].key.count + 1)
    }

    private func children(of node: Int) -> [Int] {
        var children: [Int] = []
        var child = node + 1
        while child < nodes[node].next {
            children.append(child)
            child = nodes[child].next
        }
        return children
    }

    private struct Writer {
        var text: JSONText
        let stringMax: Int
        /// How many texts this one stands in.
        let depth: Int
        var steps = 0
        var written: [UInt8] = []

        init(text: JSONText, stringMax: Int, depth: Int) {
            (self.text, self.stringMax, self.depth) = (text, stringMax, depth)
        }

        /// Writes a value in at most `room` bytes; false where it does not fit.
        mutating func write(_ index: Int, _ body: RawSpan, in room: Int) -> Bool {
            let node = text.nodes[index]
            switch node.kind {
            case .scalar:
                guard node.size <= room else { return false }
                written.append(body, node.content)
            case .string:
                let max = min(stringMax, room - 2)
                guard node.content.count <= max || max >= TextCut.markMax else { return false }
                written.append(UInt8(ascii: "\""))
                if node.content.count <= max {
                    written.append(body, node.content)
                } else {
                    let json = inner(body, node.content, to: max)
                    written += json ?? TextCut.escaped(body, node.content, to: max)
                }
                written.append(UInt8(ascii: "\""))
            case .array, .object:
                guard room >= 2 else { return false }
                let isObject = node.kind == .object
                written.append(UInt8(ascii: isObject ? "{" : "["))
                writeChildren(of: index, body, in: room - 2)
                written.append(UInt8(ascii: isObject ? "}" : "]"))
            }
            return true
        }

        /// A string that is JSON of its own, shortened as such; nil where it is none, or too deep inside others.
        private mutating func inner(_ body: RawSpan, _ range: Range<Int>, to max: Int) -> [UInt8]? {
            guard depth < Self.innerMax else { return nil }
            var decoded: [UInt8] = []
            Escapes.decode(body, range, into: &decoded)
            guard let inner = JSONText(decoded.span.bytes), inner.nodes[0].kind != .string else { return nil }
            // What its quotes and backslashes take besides is known when it is written.
            var room = max * decoded.count / range.count
            for _ in 0..<Self.triesMax {
                steps += inner.count + decoded.count / 16
                guard let shorter = inner.shortened(decoded.span.bytes, to: room, depth: depth + 1, steps: &steps)
                else { return nil }
                var writer = JSONWriter(reservingCapacity: max + 2)
                writer.string(shorter.span.bytes, 0..<shorter.count)
                let excess = writer.bytes.count - 2 - max
                if excess <= 0 { return Array(writer.bytes[1..<writer.bytes.count - 1]) }
                room -= excess
            }
            return nil
        }

        /// Texts inside texts that are shortened as JSON.
        private static let innerMax = 3
        /// How often each is tried.
        private static let triesMax = 2

        /// Of a list the first and the last ones, of an object the smallest members, each in its order; and how many are missing.
        private mutating func writeChildren(of index: Int, _ body: RawSpan, in all: Int) {
            let children = text.children(of: index)
            let isWhole = text.nodes[index].size - 2 <= all
            let isMarked = !isWhole && all >= 2 * TextCut.markMax
            let room = isMarked ? all - TextCut.markMax : all
            let kept = isWhole ? children : kept(of: children, text.nodes[index].kind, in: room)
            // What those behind each need, a half of all at most.
            func need(_ child: Int) -> Int { min(text.field(child) + 1, room / 2) }
            var behind = kept.reduce(0) { $0 + need($1) }
            var left = room
            let begin = written.count
            // Of a list, where the first of what is missing was; of an object, the end.
            var (count, gap) = (0, nil as Int?)
            for (position, child) in kept.enumerated() {
                let start = written.count
                if start > begin { written.append(UInt8(ascii: ",")) }
                let key = text.nodes[child].key
                if !key.isEmpty {
                    written.append(body, key)
                    written.append(UInt8(ascii: ":"))
                }
                behind -= need(child)
                if write(child, body, in: left - (written.count - start) - behind) {
                    count += 1
                } else {
                    written.removeLast(written.count - start)
                }
                left -= written.count - start
                if gap == nil, count <= position || child != children[position] { gap = start }
            }
            guard isMarked, count < children.count else { return }
            let isObject = text.nodes[index].kind == .object
            // By the first element readers tell what a list holds.
            let place = isObject || gap == begin ? written.count : gap ?? written.count
            mark(children.count - count, isMember: isObject, at: place, begin)
        }

        /// Writes how many children are missing at `place`, which is behind those from `begin` on or before some of them.
        private mutating func mark(_ count: Int, isMember: Bool, at place: Int, _ begin: Int) {
            let what = (isMember ? "member" : "element") + (count == 1 ? "" : "s")
            var mark = isMember ? "\"…\":\"\(count) \(what) cut\"" : "\"… [\(count) \(what) cut]\""
            if place > begin {
                mark = "," + mark
            } else if place < written.count {
                mark += ","
            }
            written.insert(contentsOf: Array(mark.utf8), at: place)
        }

        private func kept(of children: [Int], _ kind: Kind, in room: Int) -> [Int] {
            var left = room
            func takes(_ child: Int) -> Bool {
                guard text.field(child) + 1 <= left else { return false }
                left -= text.field(child) + 1
                return true
            }
            guard kind == .array, let first = children.first, let last = children.last else {
                // What does not fit is the largest: it gets what the others leave.
                let bySize = children.sorted { text.field($0) < text.field($1) }
                let whole = bySize.prefix { takes($0) }
                return (whole + bySize.dropFirst(whole.count).prefix(1)).sorted()
            }
            let isFirstKept = takes(first)
            let tail = children.dropFirst().reversed().prefix { takes($0) }
            if tail.isEmpty { return isFirstKept && children.count > 1 ? [first, last] : [last] }
            return (isFirstKept ? [first] : []) + tail.reversed()
        }
    }
}
