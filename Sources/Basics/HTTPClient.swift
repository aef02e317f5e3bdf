/// A request to an HTTP server.
package struct HTTPRequest: Sendable {
    /// The method, such as `GET` or `POST`.
    package var method: String
    /// Absolute, with scheme and host.
    package var url: String
    /// In the order they are sent.
    package var headers: [HTTPHeader]
    /// Empty for none.
    package var body: [UInt8]
    /// For the whole exchange, connecting included.
    package var timeout: Duration

    package init(method: String, url: String, headers: [HTTPHeader], body: [UInt8], timeout: Duration) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

/// One header field.
///
/// Names compare without regard to case; they are kept as they came.
package struct HTTPHeader: Sendable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Two are one only where name and value are byte for byte: a value may name an experiment.
extension HTTPHeader: Hashable {
    package static func == (lhs: HTTPHeader, rhs: HTTPHeader) -> Bool {
        ExactText(lhs.name) == ExactText(rhs.name) && ExactText(lhs.value) == ExactText(rhs.value)
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(ExactText(name))
        hasher.combine(ExactText(value))
    }
}

/// What an HTTP server answered.
package struct HTTPResponse: Sendable {
    package let status: Int
    /// Names in lower case.
    package let headers: [HTTPHeader]
    /// At most the client's response limit (4 MiB).
    package let body: [UInt8]
    /// Takes what was sent as a secret out of a text that the server made.
    package var mask: @Sendable (String) -> String = { $0 }

    package init(status: Int, headers: [HTTPHeader], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The value of the first field of that lower-case name.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// Why there is no answer.
package enum HTTPFailure: Error, Sendable, Equatable {
    /// No connection, or it broke; the text is the client library's.
    case unreachable(String)
    /// Nothing was sent, whatever the server: the address is malformed or too long, or the client has no room.
    ///
    /// The text says which.
    case unsendable(String)
    /// The time-out passed.
    ///
    /// The server may have done what was asked.
    case timedOut
    /// The answer was over the client's limit.
    case responseTooLarge
    /// Nothing was sent, because whoever gives the credentials does not; not before `after` where that is known.
    case noCredentials(String, after: Duration?)
    /// The client is shutting down.
    case cancelled
}

/// Sends requests over the network.
///
/// The seam that tests replace.
package protocol HTTPClient: Sendable {
    /// Sends one request and returns whatever the server answered, errors included; suspends without blocking.
    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse
}
