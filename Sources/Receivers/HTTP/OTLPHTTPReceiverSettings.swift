import Basics
import OTLP
package import Pipeline
package import Settings
import TLS

/// The settings of an `otlp_http` receiver, checked.
@dynamicMemberLookup
package struct OTLPHTTPReceiverSettings: Sendable {
    /// What it has in common with other receivers of OTLP.
    package var common = ReceptionSettings(listen: .tcp(host: "127.0.0.1", port: 4318))
    /// Where traces are taken; starts with a slash.
    package var tracesPath = Signal.traces.defaultPath
    package var metricsPath = Signal.metrics.defaultPath
    package var logsPath = Signal.logs.defaultPath
    /// Further paths for spans, those that SDKs have built in.
    package var aliases = ["/api/public/otel/v1/traces"]
    /// Names accepted in `Host`, besides addresses and the names of loopback; needed on loopback for other names, elsewhere
    /// everything is accepted while it is empty.
    package var hosts: [String] = []
    /// Which web pages may send; nil to look at no `Origin`: what browsers send for a page of another origin, without
    /// leave, has a content type that is answered 415.
    package var cors: CORSSettings?

    package init() {}

    /// A setting that it has in common with other receivers of OTLP.
    package subscript<Value>(dynamicMember path: WritableKeyPath<ReceptionSettings, Value>) -> Value {
        get { common[keyPath: path] }
        set { common[keyPath: path] = newValue }
    }

    /// Where requests of each signal are taken.
    var paths: RequestPaths {
        RequestPaths(traces: tracesPath, metrics: metricsPath, logs: logsPath, aliases: aliases)
    }
}

extension OTLPHTTPReceiverSettings: OTLPReceiverSettings {
    package var speech: OTLPSpeech? { .http }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Takes OTLP over HTTP, protobuf and JSON, plain or compressed with gzip, deflate or zstd.",
        OTLPHTTPReceiverSettings(),
        ReceptionSettings.listenFields.map { $0.at(\.common) } + [
            Field("traces_path", \.tracesPath, .urlPath, "Path of export requests with spans."),
            Field("metrics_path", \.metricsPath, .urlPath, "Path of export requests with metrics."),
            Field("logs_path", \.logsPath, .urlPath, "Path of export requests with log records."),
            Field(
                "aliases",
                \.aliases,
                .list(of: .urlPath),
                "Further paths for spans, such as the one that the SDKs of Langfuse have built in."
            ),
            Field(
                "hosts",
                \.hosts,
                .list(of: .hostName),
                "Names accepted in `Host`, with any port, besides addresses and names of loopback; others are answered 403 on loopback, and elsewhere where any are listed."
            ),
            Field(
                "cors",
                optional: \.cors,
                .group(CORSSettings.shape),
                #"Web pages that may send, such as `{"origins": ["https://app.example.com"]}`; without it those of other origins cannot."#
            ),
        ] + ReceptionSettings.fields(saying: .http).map { $0.at(\.common) },
        check: { settings, group, context in
            let paths = [settings.tracesPath, settings.metricsPath, settings.logsPath]
            if Set(paths).count < paths.count {
                let what = "traces_path, metrics_path and logs_path are not three different paths"
                context.report(what, at: group.offset)
            }
            // The path that a signal has goes to it, and a default that nobody wrote is no mistake.
            for alias in settings.aliases where paths.contains(alias) {
                guard let written = group["aliases"] else { continue }
                let what = "\"\(alias)\" is the path of a signal already; allowed: a path of its own"
                context.report(what, at: written.offset)
            }
            settings.common.check(group, &context)
            guard let cors = group["cors"], settings.cors != nil, settings.tls?.clientCA != nil else { return }
            context.within("cors") { context in
                let reason =
                    "browsers show no certificate when they ask whether a page may send, so client_ca keeps pages out"
                context.report("\(reason); give them a receiver of their own", at: cors.offset, as: .warning)
            }
        }
    )

    package func makeReceiver(in context: ReceiverContext) -> any Receiver { OTLPReceiver(self, in: context) }
}

extension Kind<String> {
    /// What a `Host` header names, without the port.
    fileprivate static let hostName = parsed(
        #"a host name, or an IPv6 address in brackets, without scheme, port, path and wildcards, such as "otlp.example.com""#,
        brief: "host name",
        schema: ["type": "string", "pattern": #"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])$|\$\{"#],
        parse: { text in
            let isIPv6 = text.hasPrefix("[") && text.hasSuffix("]") && text.utf8.count > 2
            let letters = isIPv6 ? Array(text.utf8.dropFirst().dropLast()) : Array(text.utf8)
            let marks = (isIPv6 ? ":." : "-._").utf8
            let isWhole = letters.allSatisfy { byte in
                let last = UInt8(ascii: isIPv6 ? "f" : "z")
                return byte.isDigit || marks.contains(byte) || (UInt8(ascii: "a")...last).contains(byte | 0x20)
            }
            return isWhole && letters.contains { !marks.contains($0) } ? text : nil
        },
        format: { $0 }
    )
}

/// Where an `otlp_http` receiver takes requests.
struct RequestPaths: Sendable {
    var traces = Signal.traces.defaultPath
    var metrics = Signal.metrics.defaultPath
    var logs = Signal.logs.defaultPath
    /// Further paths for spans.
    var aliases: [String] = []

    /// The signal whose requests go to a path, and whether by one of `aliases`; nil where nothing is served there.
    func signal(at path: Substring) -> (signal: Signal, isAlias: Bool)? {
        if let signal = Signal.allCases.first(where: { self.path(of: $0) == path }) { return (signal, false) }
        return aliases.contains { $0 == path } ? (.traces, true) : nil
    }

    func path(of signal: Signal) -> String {
        switch signal {
        case .traces: traces
        case .metrics: metrics
        case .logs: logs
        }
    }
}
