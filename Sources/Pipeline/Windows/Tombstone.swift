import Basics
package import OTLP

/// What is left of a span that a filter dropped before the journal, so that spans below it which come with other requests find the
/// one above.
///
/// Travels with a record of its trace to the window.
package struct Tombstone: Hashable, Sendable {
    package let span: SpanID
    /// Nil for a root.
    package let parent: SpanID?
    /// Whether its parent is in another process, as far as its flags said.
    package let isParentRemote: Bool
    /// Of a root, or one whose parent is in another process: what it said of the trace, unless another span says so in its place.
    package var remains: RootRemains?

    package init(_ span: SpanID, parent: SpanID?, isParentRemote: Bool = false, remains: RootRemains? = nil) {
        (self.span, self.parent, self.isParentRemote, self.remains) = (span, parent, isParentRemote, remains)
    }

    /// Those that one record takes, at most, in 4.3 KiB; what would be more is forgotten.
    static let recordMax = 256
    /// Traces of which nothing but tombstones is left that one request makes a record for, at most.
    static let recordsMax = 64
    /// Bytes that those of one request take in memory, besides those of the request, at most.
    static let requestMax = 1 << 20
    /// Bytes of the exceptions of a root, and of the message of its status, at most.
    static let remainsMax = 16 << 10

    /// Bytes that it takes in memory, about.
    var heldBytes: Int {
        2 * MemoryLayout<Tombstone>.stride + (remains.map { $0.status.count + $0.exceptions.count } ?? 0)
    }
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
    /// Bits of the byte behind the two ids.
    private static var remoteBit: UInt8 { 1 }
    private static var remainsBit: UInt8 { 2 }

    /// Each in 17 bytes: the span's id, its parent's or zeros, 1 where that is remote, and 2 where a root's start and end follow, its
    /// status and its exceptions, each with a length.
    func append(to bytes: inout [UInt8]) {
        for tombstone in self {
            bytes.append(word: tombstone.span.value.bigEndian)
            bytes.append(word: (tombstone.parent?.value ?? 0).bigEndian)
            bytes.append(
                (tombstone.isParentRemote ? Self.remoteBit : 0) | (tombstone.remains == nil ? 0 : Self.remainsBit)
            )
            guard let remains = tombstone.remains else { continue }
            bytes.append(word: remains.start.bigEndian)
            bytes.append(word: remains.end.bigEndian)
            bytes.append(counted: remains.status)
            bytes.append(counted: remains.exceptions)
        }
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        self = []
        while !bytes.isEmpty {
            guard let span = bytes.popWord(), let parent = bytes.popWord(), let bits = bytes.popFirst() else {
                return nil
            }
            var tombstone = Tombstone(
                SpanID(span),
                parent: parent == 0 ? nil : SpanID(parent),
                isParentRemote: bits & Self.remoteBit != 0
            )
            if bits & Self.remainsBit != 0 {
                guard let remains = RootRemains(popping: &bytes) else { return nil }
                tombstone.remains = remains
            }
            append(tombstone)
        }
    }
}

extension RootRemains {
    fileprivate init?(popping bytes: inout ArraySlice<UInt8>) {
        guard let start = bytes.popWord(), let end = bytes.popWord(), let status = bytes.popCounted(),
            let exceptions = bytes.popCounted()
        else { return nil }
        self.init(start: start, end: end, status: Array(status), exceptions: Array(exceptions))
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func popWord() -> UInt64? {
        guard count >= 8 else { return nil }
        defer { removeFirst(8) }
        return prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}
