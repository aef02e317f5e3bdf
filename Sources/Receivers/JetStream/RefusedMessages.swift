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
    private let stream: JetStream

    init(_ stream: JetStream, of layout: RelayStream) {
        self.stream = stream
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
        headers.append(HTTPHeader(RelayHeader.messageID, "refused-\(delivery.sequence)"))
        do throws(JetStream.Failure) {
            _ = try await stream.store(subject, headers: headers, message.payload)
        } catch {
            try await make()
            _ = try await stream.store(subject, headers: headers, message.payload)
        }
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
            ]
        )
    }
}
