package import Basics

/// Where a record of an exporter's parked log lay before, and what was known of it there.
package struct ParkedOrigin: Sendable, Hashable {
    package let source: RecordSource
    /// The id of the record in that log.
    package let id: UInt64
    /// What it counts against the share of its route.
    package let sharedBytes: Int
    /// When a client sent it.
    package let receivedAt: UnixTime
    /// When its route first turned something away.
    package let parkedSince: UnixTime

    package init(source: RecordSource, id: UInt64, sharedBytes: Int, receivedAt: UnixTime, parkedSince: UnixTime) {
        self.source = source
        self.id = id
        self.sharedBytes = sharedBytes
        self.receivedAt = receivedAt
        self.parkedSince = parkedSince
    }
}

extension ParkedOrigin {
    /// Writes it behind the other fields of a record's metadata: the source's byte, then LEB128.
    func append(to bytes: inout [UInt8]) {
        bytes.append(source.rawValue)
        bytes.append(leb128: id)
        bytes.append(leb128: UInt64(max(0, sharedBytes)))
        bytes.append(leb128: receivedAt.nanoseconds)
        bytes.append(leb128: parkedSince.nanoseconds)
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        guard let source = bytes.popFirst().flatMap(RecordSource.init(rawValue:)), let id = bytes.popLEB128(),
            let shared = bytes.popLEB128(), let received = bytes.popLEB128(), let since = bytes.popLEB128()
        else { return nil }
        self.init(
            source: source,
            id: id,
            sharedBytes: Int(clamping: shared),
            receivedAt: UnixTime(nanoseconds: received),
            parkedSince: UnixTime(nanoseconds: since)
        )
    }
}
