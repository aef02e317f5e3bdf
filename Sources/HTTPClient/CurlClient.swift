package import Basics

/// Sends requests with libcurl, with one exporter's TLS settings and proxy.
///
/// All clients of a process share one `CurlLoop`, so one thread and one pool of connections; libcurl reuses a
/// connection only for a client with the same TLS settings and proxy.
package struct CurlClient: HTTPClient {
    private let loop: CurlLoop
    private let connection: ConnectionSettings

    package init(loop: CurlLoop, connection: ConnectionSettings = ConnectionSettings()) {
        self.loop = loop
        self.connection = connection
    }

    /// Sends one request; redirects are not followed.
    ///
    /// Cancelling the task aborts the transfer and throws `cancelled`.
    package func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        try await loop.run(request, over: connection)
    }

    /// Sends one request and hands over the body of an answer with status 200 as it comes, in place of keeping it; other answers are
    /// returned whole.
    ///
    /// - Parameters:
    ///   - request: Its time-out counts for all of the answer.
    ///   - receive: Called on the client's thread, which waits for it; false ends the exchange, as `unreachable`.
    /// - Returns: The answer, without a body that was handed over.
    /// - Throws: As `send`.
    package func stream(
        _ request: HTTPRequest,
        _ receive: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(HTTPFailure) -> HTTPResponse {
        try await loop.run(request, over: connection, receive)
    }
}
