import Basics
package import OTLP

/// What is left of a span that a filter dropped before the journal, so that spans below it which come with other requests find the
/// one above.
///
/// Travels with a record of its trace to the window.
package struct Tombstone: BitwiseCopyable, Hashable, Sendable {
    package let span: SpanID
    /// Nil for a root.
    package let parent: SpanID?
    /// Whether its parent is in another process, as far as its flags said.
    package let isParentRemote: Bool

    package init(_ span: SpanID, parent: SpanID?, isParentRemote: Bool = false) {
        (self.span, self.parent, self.isParentRemote) = (span, parent, isParentRemote)
    }

    /// Those that one record takes, at most, in 4.3 KiB; what would be more is forgotten.
    static let recordMax = 256
    /// Traces of which nothing but tombstones is left that one request makes a record for, at most.
    static let recordsMax = 64
}

extension SpanSighting {
    /// A dropped span, which nobody has to wait for.
    init(_ tombstone: Tombstone) {
        self.init(tombstone.span, parent: tombstone.parent, isParentRemote: tombstone.isParentRemote)
    }

    /// The spans of a stored record and those that were dropped from it.
    static func all(in record: [UInt8], _ metadata: RecordMetadata) -> [SpanSighting] {
        all(in: record) + metadata.tombstones.map { SpanSighting($0) }
    }
}

extension [Tombstone] {
    /// Each in 17 bytes: the span's id, its parent's or zeros, 1 where that is remote.
    func append(to bytes: inout [UInt8]) {
        for tombstone in self {
            bytes.append(word: tombstone.span.value.bigEndian)
            bytes.append(word: (tombstone.parent?.value ?? 0).bigEndian)
            bytes.append(tombstone.isParentRemote ? 1 : 0)
        }
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        self = []
        while !bytes.isEmpty {
            guard let span = bytes.popWord(), let parent = bytes.popWord(), let isRemote = bytes.popFirst() else {
                return nil
            }
            append(Tombstone(SpanID(span), parent: parent == 0 ? nil : SpanID(parent), isParentRemote: isRemote == 1))
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func popWord() -> UInt64? {
        guard count >= 8 else { return nil }
        defer { removeFirst(8) }
        return prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
