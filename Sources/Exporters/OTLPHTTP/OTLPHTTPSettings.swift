package import Basics
package import OTLP
package import Pipeline

/// The settings of an `otlp_http` exporter.
package struct OTLPHTTPSettings: Sendable {
    /// For one request by default, connecting included.
    package static let defaultTimeout = Duration.seconds(30)
    /// Requests under way at once by default.
    package static let defaultConcurrency = 4

    /// The base address, to which `/v1/traces` and the like are added; nil where every signal has its own.
    package var endpoint: HTTPEndpoint?
    /// Whole addresses of single signals (`traces_endpoint`, …), used as they are.
    package var signalEndpoints: [Signal: HTTPEndpoint]
    /// How bodies are written; protobuf by default.
    package var encoding: BodyEncoding
    /// Sent with every request; a forwarded header of the same name replaces one.
    package var headers: [HTTPHeader]
    package var compression: CompressionSetting
    /// For one request, connecting included; a slower answer is a failure that is tried again.
    package var timeout: Duration
    /// Requests under way at once, at least 1.
    package var concurrency: Int
    package var connection: ConnectionSettings

    package init(
        endpoint: HTTPEndpoint?,
        signalEndpoints: [Signal: HTTPEndpoint] = [:],
        encoding: BodyEncoding = .protobuf,
        headers: [HTTPHeader] = [],
        compression: CompressionSetting = .auto,
        timeout: Duration = Self.defaultTimeout,
        concurrency: Int = Self.defaultConcurrency,
        connection: ConnectionSettings = ConnectionSettings()
    ) {
        self.endpoint = endpoint
        self.signalEndpoints = signalEndpoints
        self.encoding = encoding
        self.headers = headers
        self.compression = compression
        self.timeout = timeout
        self.concurrency = concurrency
        self.connection = connection
    }
}
