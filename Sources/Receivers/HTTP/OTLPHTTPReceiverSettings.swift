package import Basics
import OTLP

/// The settings of an `otlp_http` receiver, checked.
package struct OTLPHTTPReceiverSettings: Sendable {
    /// Where it listens.
    package var listen = ListenAddress.tcp(host: "127.0.0.1", port: 4318)
    /// Where traces are taken; starts with a slash.
    package var tracesPath = Signal.traces.defaultPath
    /// Where metrics are answered 404 with the reason, until they are served.
    package var metricsPath = Signal.metrics.defaultPath
    /// Where logs are answered 404 with the reason, until they are served.
    package var logsPath = Signal.logs.defaultPath
    /// The longest body, before and after decompression; a longer one is answered 413.
    ///
    /// The memory limit of all receivers bounds it too.
    package var maxBody = ByteCount.mebibytes(64)
    /// Connections at once; further ones are answered 503 and closed.
    package var maxConnections = 4096
    /// From the first byte of a connection, or of a later request, to the end of the head; then 408.
    package var headerTimeout = Duration.seconds(10)
    /// From the end of the head to the end of the body; then 408.
    package var bodyTimeout = Duration.seconds(30)
    /// Without a request; then the connection is closed.
    package var idleTimeout = Duration.seconds(120)
    /// Names accepted in `Host`, besides addresses and the names of loopback; needed on loopback for other names, elsewhere
    /// everything is accepted while it is empty.
    package var hosts: [String] = []
    /// Names of headers that are kept with each request, besides those that processors ask for.
    package var forwardHeaders: [String] = []

    package init() {}

    /// The signals that are taken.
    static let served: [Signal] = [.traces]

    func path(of signal: Signal) -> String {
        switch signal {
        case .traces: tracesPath
        case .metrics: metricsPath
        case .logs: logsPath
        }
    }
}
