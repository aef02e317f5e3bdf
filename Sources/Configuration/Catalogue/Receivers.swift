import Basics
import Receivers

extension Shape<OTLPHTTPReceiverSettings> {
    static let otlpHTTPReceiver = Shape(
        "Takes OTLP over HTTP, protobuf and JSON, plain or compressed with gzip or deflate.",
        Settings(),
        [
            Field("listen", \.listen, .address, "Address and port, or a unix socket. Port 0 takes any free one."),
            Field("traces_path", \.tracesPath, .urlPath, "Path of export requests with spans."),
            Field("metrics_path", \.metricsPath, .urlPath, "Path of export requests with metrics."),
            Field("logs_path", \.logsPath, .urlPath, "Path of export requests with log records."),
            Field(
                "max_body",
                \.maxBody,
                .size(.kibibytes(1)...),
                "Largest body after inflation; a larger one is answered 413."
            ),
            Field(
                "max_connections",
                \.maxConnections,
                .integer(1...1_000_000),
                "Connections open at once; a further one takes the place of an idle one, or is answered 503 and closed."
            ),
            Field(
                "header_timeout",
                \.headerTimeout,
                .pause,
                "Time for a request's head to arrive; then it is answered 408."
            ),
            Field(
                "body_timeout",
                \.bodyTimeout,
                .pause,
                "Time for a request's body to arrive; then it is answered 408."
            ),
            Field("idle_timeout", \.idleTimeout, .pause, "Time a connection may stay open between requests."),
            Field(
                "hold",
                \.hold,
                .duration(.zero ... .seconds(8)),
                "Time a request may wait for room in the journal or in memory, while room becomes free, before it is answered 503."
            ),
            Field(
                "hosts",
                \.hosts,
                .list(of: .text),
                "Names accepted in `Host` besides addresses and names of loopback; others are answered 403 on loopback, and elsewhere where any are listed."
            ),
            Field(
                "forward_headers",
                \.forwardHeaders,
                .list(of: .headerName),
                "Headers of requests that are kept with the spans, 4 KiB in all, and sent along by exporters."
            ),
            Field(
                "forward_secrets",
                \.forwardSecrets,
                .flag,
                "Whether `forward_headers` may name headers such as `authorization`, whose values then lie in plain text in the journal and among dead letters."
            ),
            .unavailable("tls"), .unavailable("auth"), .unavailable("cors"),
        ],
        check: { settings, group, reading in
            let paths = [settings.tracesPath, settings.metricsPath, settings.logsPath]
            if Set(paths).count < paths.count {
                let what = "traces_path, metrics_path and logs_path are not three different paths"
                reading.report(what, at: group.offset)
            }
            guard !settings.forwardSecrets else { return }
            for (index, node) in (group["forward_headers"]?.elements ?? []).enumerated() {
                guard let name = node.string, Settings.isSecret(header: name) else { continue }
                reading.within("forward_headers", "\(index)") { reading in
                    let reason = "the journal and the dead letters would keep it in plain text"
                    let what = "\(quoted(name)) is likely to hold a secret, and \(reason)"
                    reading.report("\(what); allowed: other headers, or \"forward_secrets\": true", at: node.offset)
                }
            }
        }
    )
}

extension Kind<ListenAddress> {
    /// Where a server listens.
    static let address = Kind.parsed(
        ListenAddress.form,
        brief: "address",
        schema: ["type": "string", "pattern": #"^(\[[0-9a-fA-F:.%]+\]|[^:\[\]]+):[0-9]{1,5}$|^unix:/.|\$\{"#],
        parse: { ListenAddress(text: $0) },
        format: \.description
    )
}

extension Kind<Duration> {
    /// How long something may take, at most a day.
    static let pause = duration(.milliseconds(1) ... .seconds(24 * 3600))
}
