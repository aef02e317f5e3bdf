package import Basics

// A client of NATS, as much of it as an exporter and a receiver of JetStream need: the protocol (NATSParser, NATSCommands), one
// connection (NATSConnection), a client that connects again for ever (NATSClient), and JetStream's JSON API (JetStream).

/// One message that a server delivered.
package struct NATSMessage: Sendable, Equatable {
    package let subject: String
    /// The number of the subscription that it came for.
    package let subscription: UInt64
    /// Where an answer goes; nil for a message that asks for none.
    package let reply: String?
    /// What the server says in place of a payload, such as 503 where nobody listens; nil for what somebody sent.
    package let status: NATSStatus?
    package let headers: [HTTPHeader]
    package let payload: [UInt8]

    package init(
        subject: String,
        subscription: UInt64,
        reply: String? = nil,
        status: NATSStatus? = nil,
        headers: [HTTPHeader] = [],
        payload: [UInt8]
    ) {
        self.subject = subject
        self.subscription = subscription
        self.reply = reply
        self.status = status
        self.headers = headers
        self.payload = payload
    }

    /// The value of the first header of that name, letter case included.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The value of the last header of that name: a server puts its own behind those of whoever published the message.
    package func lastHeader(_ name: String) -> String? { headers.last { $0.name == name }?.value }
}

/// The first line of a message's headers, where it says more than the version.
package struct NATSStatus: Sendable, Equatable {
    package let code: Int
    /// What the server says besides; often empty.
    package let text: String

    package init(code: Int, text: String) {
        self.code = code
        self.text = text
    }
}

/// Why something did not come about.
package enum NATSFailure: Error, Sendable, Equatable {
    /// There is no connection, or it ended before the answer; the text says why.
    case disconnected(String)
    /// The server says that nobody listens there: status 503.
    case noResponders
    case timedOut
    case cancelled
}

extension NATSFailure: CustomStringConvertible {
    /// For logs.
    package var description: String {
        switch self {
        case .disconnected(let reason): reason
        case .noResponders: "nobody answers there: no responders"
        case .timedOut: "no answer in time"
        case .cancelled: "cancelled"
        }
    }
}

/// What a server sent that is no NATS.
struct NATSProtocolError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
