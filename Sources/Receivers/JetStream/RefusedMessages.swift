import Basics
import NATS
import Settings

/// The stream where messages go that no gateway will ever take, so that they do not come back for ever.
struct RefusedMessages: Sendable {
    private static let maxBytes = ByteCount.mebibytes(256)
    private static let maxAge = Duration.seconds(7 * 86400)

    /// The stream's name.
    let name: String
    private let subject: String
    private let replicas: Int
    private let stream: JetStream

    init(_ stream: JetStream, of layout: RelayStream) {
        self.stream = stream
        replicas = layout.replicas
        name = "\(layout.name)-refused"
        subject = "\(layout.subject)-refused"
    }

    /// Adds a message with why it was refused; the stream is made when it is not there.
    func add(
        _ message: NATSMessage,
        _ delivery: JetStreamDelivery,
        because reason: String
    ) async throws(JetStream.Failure) {
        var headers = message.headers.filter { !$0.name.hasPrefix("Nats-") }
        headers.append(HTTPHeader(RelayHeader.reason, reason.excerpt()))
        // A stream that is made anew numbers its messages from 1 again.
        var checksum = CRC32C()
        checksum.update(message.payload.span.bytes)
        headers.append(HTTPHeader(RelayHeader.messageID, "refused-\(delivery.sequence)-\(checksum.value)"))
        let payload = cut(message.payload, behind: &headers)
        do throws(JetStream.Failure) {
            _ = try await stream.store(subject, headers: headers, payload)
        } catch {
            try await make()
            _ = try await stream.store(subject, headers: headers, payload)
        }
    }

    /// Bytes that the servers take behind these headers; what exporters of Millrace write fits, since they leave room for it.
    private func cut(_ payload: [UInt8], behind headers: inout [HTTPHeader]) -> [UInt8] {
        func room(_ headers: [HTTPHeader]) -> Int {
            stream.payloadMax - headers.reduce(64) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        }
        if room(headers) < 0 { headers = Array(headers.suffix(2)) }
        guard payload.count > room(headers) else { return payload }
        headers.append(HTTPHeader(RelayHeader.cut, "\(payload.count)"))
        return Array(payload.prefix(max(0, room(headers))))
    }

    private func make() async throws(JetStream.Failure) {
        try await stream.create(
            name,
            [
                "subjects": .words([subject]), "discard": "old", "storage": "file",
                "max_bytes": .integer(Self.maxBytes.bytes), "max_age": .integer(Int(Self.maxAge.wholeNanoseconds)),
                "description": .text(
                    "Millrace: messages that no gateway takes, with the reason in \(RelayHeader.reason)"
                ),
            ],
            replicas: replicas
        )
    }
}
