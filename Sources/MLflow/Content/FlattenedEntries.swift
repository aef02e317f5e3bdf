import Basics

/// The attributes of one span that are parts of flattened lists, such as `llm.input_messages.0.message.role`.
struct FlattenedEntries {
    struct Entry {
        let family: Int
        /// Position in the batch's attributes.
        let attribute: Int
        /// What of the key is not yet used, from the first digit of the index on.
        var path: Range<Int>
        /// The attribute's `AnyValue` message.
        let value: Range<Int>
    }

    /// Parts of one span that are looked at, at most: a list of more is left as it is.
    static let countMax = 8192
    /// Segments of a path, at most; what is longer is left out.
    static let depthMax = 12
    /// Bytes of a path, at most: paths are sorted, so that each is read several times.
    static let pathMax = 512
    private static let keptMax = 1024

    private(set) var entries: [Entry] = []

    mutating func clear() {
        if !entries.isEmpty { entries.removeAll(keepingCapacity: true) }
    }

    /// Gives back the memory that few batches need.
    mutating func giveBack() {
        if entries.capacity > Self.keptMax { entries = [] }
    }

    mutating func append(_ entry: Entry) {
        if entries.count <= Self.countMax, entry.path.count <= Self.pathMax { entries.append(entry) }
    }

    /// Puts a list together on the tape.
    ///
    /// - Returns: The array; nil where it has no part.
    func build(_ family: Int, unwrap: [[UInt8]], on tape: inout ContentTape, of bytes: RawSpan) -> Int? {
        guard entries.count <= Self.countMax else { return nil }
        var parts = entries.filter { $0.family == family }
        guard !parts.isEmpty else { return nil }
        tape.account.steps &+= parts.count
        if !isSorted(parts, bytes) { parts.sort { precedes($0.path, $1.path, bytes) } }
        let builder = FlattenedBuilder(unwrap: unwrap)
        return builder.append(&parts, 0..<parts.count, depth: 0, on: &tape, of: bytes)
    }

    private func isSorted(_ parts: [Entry], _ bytes: RawSpan) -> Bool {
        for index in 1..<max(1, parts.count) where precedes(parts[index].path, parts[index - 1].path, bytes) {
            return false
        }
        return true
    }

    /// Compares paths segment by segment, indices by their number.
    private func precedes(_ first: Range<Int>, _ second: Range<Int>, _ bytes: RawSpan) -> Bool {
        var left = first
        var right = second
        while !left.isEmpty, !right.isEmpty {
            let one = bytes.cutSegment(&left)
            let other = bytes.cutSegment(&right)
            if let number = bytes.index(one), let otherNumber = bytes.index(other) {
                if number != otherNumber { return number < otherNumber }
                continue
            }
            switch bytes.compare(one, other) {
            case 0: continue
            case let order: return order < 0
            }
        }
        return left.isEmpty && !right.isEmpty
    }
}

/// Builds the tree that a sorted list of paths describes.
private struct FlattenedBuilder {
    let unwrap: [[UInt8]]

    /// Adds what the entries of `range`, which share a place in the tree, describe there.
    func append(
        _ entries: inout [FlattenedEntries.Entry],
        _ range: Range<Int>,
        depth: Int,
        on tape: inout ContentTape,
        of bytes: RawSpan
    ) -> Int? {
        for index in range { skipWrappers(&entries[index].path, bytes) }
        let inner = range.drop { entries[$0].path.isEmpty }
        guard let first = inner.first, depth < FlattenedEntries.depthMax else {
            return tape.append(value: entries[range.lowerBound].value, of: bytes)
        }
        var path = entries[first].path
        let isList = bytes.index(bytes.cutSegment(&path)) != nil
        let node = tape.begin(isList ? .array : .object)
        var start = first
        while start < range.upperBound {
            let segment = bytes.cutSegment(&entries[start].path)
            var end = start + 1
            while end < range.upperBound {
                var rest = entries[end].path
                guard bytes.compare(bytes.cutSegment(&rest), segment) == 0 else { break }
                entries[end].path = rest
                end += 1
            }
            if !isList { tape.appendName(.text, .joined, segment, bytes) }
            if append(&entries, start..<end, depth: depth + 1, on: &tape, of: bytes) == nil { _ = tape.append(.null) }
            start = end
        }
        tape.end(node)
        return node
    }

    private func skipWrappers(_ path: inout Range<Int>, _ bytes: RawSpan) {
        while !path.isEmpty {
            var rest = path
            let segment = bytes.cutSegment(&rest)
            guard unwrap.contains(where: { bytes.equals($0, segment) }), !rest.isEmpty else { return }
            path = rest
        }
    }
}

extension RawSpan {
    /// Takes the first segment, up to the next dot, off a path.
    fileprivate func cutSegment(_ path: inout Range<Int>) -> Range<Int> {
        var end = path.lowerBound
        while end < path.upperBound, byte(at: end) != UInt8(ascii: ".") { end += 1 }
        let segment = path.lowerBound..<end
        path = min(end + 1, path.upperBound)..<path.upperBound
        return segment
    }

    /// The number that a segment of up to nine digits is.
    fileprivate func index(_ segment: Range<Int>) -> Int? {
        guard !segment.isEmpty, segment.count <= 9 else { return nil }
        var number = 0
        for offset in segment {
            guard byte(at: offset).isDigit else { return nil }
            number = number * 10 + Int(byte(at: offset) - UInt8(ascii: "0"))
        }
        return number
    }

    /// Negative, zero or positive, as the bytes of `first` come before, with or after those of `second`.
    fileprivate func compare(_ first: Range<Int>, _ second: Range<Int>) -> Int {
        for index in 0..<min(first.count, second.count) {
            let difference =
                Int(byte(at: first.lowerBound + index)) - Int(byte(at: second.lowerBound + index))
            if difference != 0 { return difference }
        }
        return first.count - second.count
    }
}
