import Basics

/// What a span is to say of its parent.
package struct ParentLink: Sendable, Equatable {
    /// The parent's id; nil for a root.
    package let id: SpanID?
    /// The bits of `flags` that say whether the parent is in another process (`SPAN_FLAGS_CONTEXT_…_IS_REMOTE_MASK`).
    package let remoteBits: UInt32

    /// Bit 8: it is known whether the parent is remote; bit 9: it is.
    static let mask: UInt32 = 0x300

    /// A parent in the same process.
    package init(local id: SpanID) {
        self.id = id
        remoteBits = 0x100
    }

    fileprivate init(id: SpanID?, remoteBits: UInt32) {
        self.id = id
        self.remoteBits = remoteBits
    }

    /// No parent.
    package static let none = ParentLink(id: nil, remoteBits: 0x100)

    /// Whether it is said that the parent is in another process.
    package var isRemote: Bool { id != nil && remoteBits == Self.mask }
}

extension SpanBatch {
    /// What a span says of its parent, as it came.
    package func parentLink(of span: Int) -> ParentLink {
        ParentLink(
            id: spans[span].parentID,
            remoteBits: UInt32(truncatingIfNeeded: flags(of: span) ?? 0) & ParentLink.mask
        )
    }

    /// Gives spans other parents; the table shows them too, so that processors behind see a tree that is whole.
    ///
    /// What else `flags` hold stays; a span without flags gets none.
    package mutating func setParents(_ links: [(span: Int, link: ParentLink)]) {
        guard !links.isEmpty else { return }
        var table = Stack<SpanEntry>(reserving: spans.count)
        for entry in spans { table.append(entry) }
        for (span, link) in links {
            table[span].parentBits = link.id?.value ?? 0
            cut(field: 4, of: span)
            if let id = link.id { addField(0x22, to: span, [UInt8](bigEndian: id.value)) }
            guard let flags = flags(of: span) else { continue }
            let changed = UInt32(truncatingIfNeeded: flags) & ~ParentLink.mask | link.remoteBits
            cut(field: 16, of: span)
            beginAddition(to: .span(span))
            marks.builder.bytes.write(atMost: 16) { writer in
                writer.pair(0x85, 0x01)
                for shift in stride(from: 0, to: 32, by: 8) { writer.byte(UInt8(truncatingIfNeeded: changed >> shift)) }
            }
        }
        spans = Table(table)
    }

    /// Replaces `start_time_unix_nano`; the entry keeps the old one.
    package mutating func setStart(_ time: UInt64, of span: Int) {
        cut(field: 7, of: span)
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: 16) { writer in
            writer.byte(0x39)
            writer.word(time)
        }
    }

    /// Puts an event of another span behind those of a span, as it came.
    package mutating func copyEvent(_ event: Int, to span: Int) {
        let field = events[event].frame.field
        let body = bytes
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: field.count) { $0.bytes(body.span.bytes, field) }
    }

    /// Takes an event out.
    package mutating func removeEvent(_ event: Int) {
        append(ShortRange(events[event].frame.field), to: .span(events[event].span))
    }

    /// The field `flags`; nil where it is missing.
    private func flags(of span: Int) -> UInt64? {
        var reader = WireReader(spans[span].unit.frame.content)
        var flags: UInt64?
        while let field = try? reader.next(in: bytes.span.bytes) {
            if field.number == 16 { flags = field.value }
        }
        return flags
    }

    private mutating func addField(_ tag: UInt8, to span: Int, _ content: [UInt8]) {
        beginAddition(to: .span(span))
        marks.builder.bytes.write(atMost: content.count + 16) { writer in
            writer.field(tag, length: content.count)
            for byte in content { writer.byte(byte) }
        }
    }
}

extension [UInt8] {
    fileprivate init(bigEndian value: UInt64) {
        self = stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: value >> UInt64($0)) }
    }
}
