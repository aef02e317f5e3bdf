package import Basics
package import Settings

/// JetStream's JSON API, as a client of NATS asks it.
package struct JetStream: Sendable {
    /// Why the API did not do something.
    package enum Failure: Error, Sendable, Equatable {
        /// Nothing is known of it: there is no connection, no leader or no answer.
        case unavailable(String)
        /// The servers refuse it.
        case refused(Refusal)
    }

    /// An error as the API tells it.
    package struct Refusal: Sendable, Equatable {
        /// Like a status of HTTP.
        package let code: Int
        /// The server's number of the error, such as 10059 for a stream that is not there.
        package let number: Int
        package let text: String
    }

    /// Where a message was stored.
    package struct Receipt: Sendable, Equatable {
        package let stream: String
        package let sequence: UInt64
        /// Whether a message of that id was there already, so that nothing was stored.
        package let isDuplicate: Bool
    }

    /// The error of a stream that is full (`discard: new`).
    package static let full = 10077
    /// The error of a stream that is not there.
    package static let noStream = 10059
    /// The errors of a message that is larger than a stream or an account takes.
    package static let tooLarge = [10054]
    /// How long an answer is waited for.
    package static let answerMax = Duration.seconds(5)

    private let client: NATSClient

    package init(_ client: NATSClient) {
        self.client = client
    }

    /// Bytes of headers and payload of one message that the servers take, at most.
    package var payloadMax: Int { client.payloadMax }

    /// Asks the API; throws what it says in place of a result.
    package func ask(
        _ subject: String,
        _ body: JSON? = nil,
        within limit: Duration = answerMax
    ) async throws(Failure) -> JSONNode {
        let text = body.map { Array($0.lineText.utf8) } ?? []
        let answer = await client.request("$JS.API.\(subject)", text, within: limit)
        return try Self.result(of: answer)
    }

    /// Stores a message; throws where that is not certain.
    package func store(
        _ subject: String,
        headers: [HTTPHeader],
        _ payload: [UInt8],
        within limit: Duration = answerMax
    ) async throws(Failure) -> Receipt {
        let node = try Self.result(of: await client.request(subject, headers: headers, payload, within: limit))
        guard let stream = node["stream"]?.string, let sequence = node["seq"]?.integer else {
            throw .unavailable("the answer is no receipt of JetStream")
        }
        return Receipt(
            stream: stream,
            sequence: UInt64(max(0, sequence)),
            isDuplicate: node["duplicate"]?.bool ?? false
        )
    }

    /// Creates a stream of that configuration, held by so many servers.
    package func create(
        _ name: String,
        _ configuration: JSON,
        replicas: Int,
        within limit: Duration = answerMax
    ) async throws(Failure) {
        let own: JSON = ["name": .text(name), "num_replicas": .integer(replicas)]
        _ = try await ask("STREAM.CREATE.\(name)", own.adding(configuration), within: limit)
    }

    private static func result(of answer: Result<NATSMessage, NATSFailure>) throws(Failure) -> JSONNode {
        let message: NATSMessage
        do throws(NATSFailure) { message = try answer.get() } catch { throw .unavailable("\(error)") }
        guard let node = try? JSONNode(parsing: message.payload), node.members != nil else {
            throw .unavailable(
                "the answer is no JSON: \(message.status.map { "\($0.code) \($0.text)" } ?? "no status")"
            )
        }
        guard let error = node["error"] else { return node }
        throw .refused(
            Refusal(
                code: error["code"]?.integer ?? 0,
                number: error["err_code"]?.integer ?? 0,
                text: (error["description"]?.string ?? "").excerpt()
            )
        )
    }
}

extension JetStream.Failure: CustomStringConvertible {
    /// For logs.
    package var description: String {
        switch self {
        case .unavailable(let reason): reason
        case .refused(let refusal): "\(refusal.text) (\(refusal.number))"
        }
    }

    /// Whether the servers say that there is no such stream, or nobody answers for it.
    package var saysMissing: Bool {
        guard case .refused(let refusal) = self else { return false }
        return refusal.number == JetStream.noStream
    }
}

/// What the server says about a message that came from a consumer: the subject that it is acknowledged at.
package struct JetStreamDelivery: Sendable, Equatable {
    /// Where acknowledgements go.
    package let reply: String
    /// How often it was delivered, 1 for the first time.
    package let deliveries: Int
    /// Its number in the stream.
    package let sequence: UInt64

    /// Nil for the reply of another message: `$JS.ACK.[DOMAIN.ACCOUNT.]STREAM.CONSUMER.DELIVERIES.SEQUENCE.…`.
    package init?(_ message: NATSMessage) {
        guard let reply = message.reply else { return nil }
        var words = reply.split(separator: ".", omittingEmptySubsequences: false)
        guard words.count >= 9, words[0] == "$JS", words[1] == "ACK" else { return nil }
        words.removeFirst(words.count >= 11 ? 4 : 2)
        guard let deliveries = Int(words[2]), let sequence = UInt64(words[3]) else { return nil }
        self.reply = reply
        self.deliveries = deliveries
        self.sequence = sequence
    }
}
