import Basics

/// What a span is to say of its parent.
package struct ParentLink: Sendable, Equatable {
    /// The parent's id; nil for a root.
    package let id: SpanID?
    /// The bits of `flags` that say whether the parent is in another process (`SPAN_FLAGS_CONTEXT_…_IS_REMOTE_MASK`).
    fileprivate let remoteBits: UInt32

    /// Bit 8: it is known whether the parent is remote; bit 9: it is.
    private static let mask: UInt32 = 0x300

    /// A parent in the same process; nil for none.
    package init(local id: SpanID?) {
        self.id = id
        remoteBits = 0x100
    }

    /// A parent that is in another process, as far as that is known; nil for none.
    package init(_ id: SpanID?, isRemote: Bool) {
        self.id = id
        remoteBits = id != nil && isRemote ? Self.mask : 0x100
    }

    fileprivate init(_ entry: SpanEntry) {
        id = entry.parentID
        remoteBits = entry.flagBits & Self.mask
    }

    /// Whether it is said that the parent is in another process.
    package var isRemote: Bool { id != nil && Self.isRemote(remoteBits) }

    /// Whether `flags` say that the parent is in another process; false where they do not say so.
    static func isRemote(_ flags: UInt32) -> Bool { flags & mask == mask }

    /// The same flags with what they say of the parent.
    func flags(_ flags: UInt32) -> UInt32 { flags & ~Self.mask | remoteBits }
}

extension SpanBatch {
    /// What a span says of its parent.
    package func parentLink(of span: Int) -> ParentLink { ParentLink(spans[span]) }

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
            if let id = link.id {
                beginAddition(to: .span(span))
                marks.builder.bytes.write(atMost: 16) { writer in
                    writer.pair(0x22, 8)
                    writer.word(id.value.byteSwapped)
                }
            }
            let flags = link.flags(table[span].flagBits)
            guard table[span].flagBits != 0, flags != table[span].flagBits else { continue }
            table[span].flagBits = flags
            cut(field: 16, of: span)
            beginAddition(to: .span(span))
            marks.builder.bytes.write(atMost: 16) { writer in
                writer.pair(0x85, 0x01)
                for shift in stride(from: 0, to: 32, by: 8) { writer.byte(UInt8(truncatingIfNeeded: flags >> shift)) }
            }
        }
        spans = Table(table)
    }

    /// Takes an event out.
    package mutating func removeEvent(_ event: Int) {
        append(ShortRange(events[event].frame.field), to: .span(events[event].span))
    }
}
