import Basics

/// What comes in the place of texts of a request.
///
/// Lengths of the messages around a replaced text are written anew; everything else keeps its bytes.
package struct TextEdits: Sendable {
    /// Bytes of the body that go, and those of `inserted` that come in their place.
    private struct Splice {
        var cut: Range<Int>
        var content: Range<Int>
    }

    private var replaced: [Splice] = []
    private var inserted: [UInt8] = []

    package init() {}

    package var isEmpty: Bool { replaced.isEmpty }

    /// Puts a text in the place of one that `TextWalk` found: its `name` or its `text`.
    package mutating func replace(_ text: Range<Int>, with new: [UInt8]) {
        let start = inserted.count
        inserted += new
        replaced.append(Splice(cut: text, content: start..<inserted.count))
    }

    /// Puts a text in the place of a value that `TextWalk` found, whatever its kind.
    package mutating func replace(value: Range<Int>, with new: [UInt8]) {
        let start = inserted.count
        inserted.append(0x0A)
        inserted.appendVarint(new.count)
        inserted += new
        replaced.append(Splice(cut: value, content: start..<inserted.count))
    }

    /// The request with the replacements.
    func written(_ body: RawSpan) throws(WireError) -> [UInt8] {
        var writing = Writing(edits: self)
        writing.edits.replaced.sort { $0.cut.lowerBound < $1.cut.lowerBound }
        _ = try writing.message(0..<body.byteCount, body)
        writing.splices.sort { $0.cut.lowerBound < $1.cut.lowerBound }
        var written: [UInt8] = []
        written.reserveCapacity(body.byteCount + writing.edits.inserted.count)
        var offset = 0
        for splice in writing.splices {
            written.append(body, offset..<splice.cut.lowerBound)
            written.append(writing.edits.inserted.span.bytes, splice.content)
            offset = splice.cut.upperBound
        }
        written.append(body, offset..<body.byteCount)
        return written
    }

    /// The way to the replaced ranges through the messages around them, whatever their types.
    private struct Writing {
        var edits: TextEdits
        /// Index of the next one of the sorted replacements.
        var next = 0
        /// Replacements, and the lengths around them.
        var splices: [Splice] = []

        /// Goes through one message in which the next replacement stands; returns by how many bytes it grows.
        mutating func message(_ range: Range<Int>, _ body: RawSpan) throws(WireError) -> Int {
            var growth = 0
            var cursor = WireCursor(range)
            while next < edits.replaced.count, edits.replaced[next].cut.lowerBound < range.upperBound, !cursor.isAtEnd {
                let tag = try cursor.tag(in: body)
                guard tag & 7 == WireType.lengthDelimited else {
                    try cursor.skip(tag, in: body)
                    continue
                }
                let start = cursor.offset
                let content = try cursor.content(in: body)
                let edit = edits.replaced[next]
                guard edit.cut.lowerBound < content.upperBound else { continue }
                var added: Int
                if edit.cut == content {
                    next += 1
                    splices.append(edit)
                    added = edit.content.count - content.count
                } else {
                    added = try message(content, body)
                }
                if added != 0 {
                    let length = edits.inserted.count
                    edits.inserted.appendVarint(content.count + added)
                    splices.append(Splice(cut: start..<content.lowerBound, content: length..<edits.inserted.count))
                    added += edits.inserted.count - length - (content.lowerBound - start)
                }
                growth += added
            }
            return growth
        }
    }
}

extension Envelope {
    /// The same request with what `edits` put in the place of texts.
    ///
    /// Of marks only removals stay. Throws where the result is too large to be indexed.
    package func rewritten(_ edits: TextEdits, limits: WireLimits = .standard) throws(WireError) -> Envelope {
        var envelope = try Envelope(try edits.written(bytes.span.bytes), signal: signal, limits: limits)
        // A text that was no UTF-8 may be one now: what was refused stays refused.
        for unit in 0..<unitCount {
            if let removal = removal(of: unit), envelope.removal(of: unit) == nil { envelope.remove(unit, as: removal) }
        }
        return envelope
    }
}
