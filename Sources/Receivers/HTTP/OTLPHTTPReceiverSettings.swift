package import Basics
package import OTLP

/// The settings of an `otlp_http` receiver, checked.
package struct OTLPHTTPReceiverSettings: Sendable {
    /// Where it listens.
    package var listen: ListenAddress = .tcp(host: "127.0.0.1", port: 4318)
    /// The path of each signal, starting with a slash.
    ///
    /// A request for a signal that is not served is answered 404 and told so.
    package var paths: [Signal: String] = Dictionary(uniqueKeysWithValues: Signal.allCases.map { ($0, $0.defaultPath) })
    /// The signals that are taken.
    package var served: Set<Signal> = [.traces]
    /// The longest body, before and after inflation; a longer one is answered 413.
    package var maxBody: ByteCount = .mebibytes(64)
    /// Connections at once; further ones are answered 503 and closed.
    package var maxConnections = 4096
    /// From the first byte of a connection, or of a later request, to the end of the head; then 408.
    package var headerTimeout: Duration = .seconds(10)
    /// From the end of the head to the end of the body; then 408.
    package var bodyTimeout: Duration = .seconds(30)
    /// Without a request; then the connection is closed.
    package var idleTimeout: Duration = .seconds(120)
    /// The headers kept with a request, in lower case: `forward_headers` and those that processors ask for.
    package var keptHeaders: [String] = []

    package init() {}
}
