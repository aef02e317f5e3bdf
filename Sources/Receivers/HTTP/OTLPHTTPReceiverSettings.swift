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
    /// Connections at once; a further one takes the place of an idle one, or is answered 503 and closed.
    package var maxConnections = 4096
    /// From the first byte of a connection, or of a later request, to the end of the head; then 408.
    package var headerTimeout = Duration.seconds(10)
    /// From the end of the head to the end of the body; then 408.
    package var bodyTimeout = Duration.seconds(30)
    /// Without a request; then the connection is closed.
    package var idleTimeout = Duration.seconds(120)
    /// How long a request may wait for room, while room becomes free, before it is answered 503; zero to answer at once.
    package var hold = Duration.seconds(2)
    /// Names accepted in `Host`, besides addresses and the names of loopback; needed on loopback for other names, elsewhere
    /// everything is accepted while it is empty.
    package var hosts: [String] = []
    /// Names of headers that are kept with each request, besides those that processors ask for.
    ///
    /// At most 4 KiB of them in all, with 32 bytes more for each; a request with more is answered 431.
    package var forwardHeaders: [String] = []
    /// Whether headers that hold secrets may be among them; they then stand in plain text in the journal.
    package var forwardSecrets = false

    package init() {}

    /// What the forwarded headers of one request may take.
    static let forwardedMax = ByteCount.kibibytes(4)

    /// Whether a header of that name is likely to hold a secret.
    package static func isSecret(header name: String) -> Bool {
        let name = name.lowercased().replacing("_", with: "-")
        let words = [
            "authorization", "authentication", "cookie", "token", "secret", "password", "passwd", "credential", "jwt",
            "bearer", "api-key", "apikey", "access-key", "private-key", "signature",
        ]
        return words.contains { name.contains($0) } || name.split(separator: "-").contains { $0 == "auth" }
            || name == "x-honeycomb-team"
    }

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
