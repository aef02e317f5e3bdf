package import Basics

/// Spans that a destination will not take, with everything that explains it and what is needed to send them again.
///
/// The metadata form, pinned by a test: a version byte, 1; the source log (one byte) and id of the record that the spans
/// came from; status plus 1, or 0 for none; number of attempts; first and last attempt in nanoseconds since 1970; the
/// reason and the answer's body (each a length and bytes); then the `RecordMetadata` of the spans. Numbers are LEB128.
package struct DeadLetter: Sendable, Equatable {
    private static let version: UInt8 = 1

    /// Where the spans lay before.
    package struct Origin: Sendable, Hashable {
        package let source: RecordSource
        /// The id of the record in that log.
        package let id: UInt64

        package init(source: RecordSource, id: UInt64) {
            self.source = source
            self.id = id
        }
    }

    package let origin: Origin
    package let rejection: Rejection
    package let attempts: Int
    package let firstAttempt: UnixTime
    package let lastAttempt: UnixTime
    /// Signal, route and headers, for sending the spans again.
    package let metadata: RecordMetadata
    /// One export request in protobuf wire form, as it was sent.
    package let payload: [UInt8]
    package let items: Int

    package init(
        origin: Origin,
        rejection: Rejection,
        attempts: Int,
        firstAttempt: UnixTime,
        lastAttempt: UnixTime,
        metadata: RecordMetadata,
        payload: [UInt8],
        items: Int
    ) {
        self.origin = origin
        self.rejection = rejection
        self.attempts = attempts
        self.firstAttempt = firstAttempt
        self.lastAttempt = lastAttempt
        self.metadata = metadata
        self.payload = payload
        self.items = items
    }
}

extension DeadLetter {
    /// The metadata for the journal.
    package func encodedMetadata() -> [UInt8] {
        var bytes: [UInt8] = [Self.version, origin.source.rawValue]
        bytes.append(leb128: origin.id)
        bytes.append(leb128: UInt64(rejection.status.map { max(0, $0) + 1 } ?? 0))
        bytes.append(leb128: UInt64(attempts))
        bytes.append(leb128: firstAttempt.nanoseconds)
        bytes.append(leb128: lastAttempt.nanoseconds)
        bytes.append(text: rejection.reason)
        bytes.append(counted: rejection.body)
        return bytes + metadata.encoded()
    }

    /// Reads what `encodedMetadata()` wrote; nil where the bytes are something else.
    package init?(decoding bytes: [UInt8], payload: [UInt8], items: Int) {
        var rest = bytes[...]
        guard rest.popFirst() == Self.version, let source = rest.popFirst().flatMap(RecordSource.init(rawValue:)),
            let id = rest.popLEB128(), let status = rest.popLEB128(), let attempts = rest.popLEB128(),
            let first = rest.popLEB128(), let last = rest.popLEB128(),
            let reason = rest.popText(), let body = rest.popCounted(),
            let metadata = RecordMetadata(decoding: Array(rest))
        else { return nil }
        let rejection = Rejection(
            status: status == 0 ? nil : Int(clamping: status - 1),
            reason: reason,
            body: Array(body)
        )
        self.init(
            origin: Origin(source: source, id: id),
            rejection: rejection,
            attempts: Int(clamping: attempts),
            firstAttempt: UnixTime(nanoseconds: first),
            lastAttempt: UnixTime(nanoseconds: last),
            metadata: metadata,
            payload: payload,
            items: items
        )
    }
}
