import Basics
import HTTPClient
package import OTLP
package import Pipeline
package import Settings

/// The settings of an `otlp_grpc` exporter.
package struct OTLPGRPCSettings: Sendable {
    /// The backend's address, without a path.
    package var endpoint: HTTPEndpoint
    package var requests = RequestSettings()

    package init(endpoint: HTTPEndpoint) {
        self.endpoint = endpoint
    }
}

extension OTLPGRPCSettings: DestinationSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Delivers to any OTLP backend over gRPC.",
        OTLPGRPCSettings(endpoint: .placeholder),
        [
            Field(
                "endpoint",
                \.endpoint,
                .endpoint,
                "The backend's address: `http://HOST:4317` in plain text, `https://…` over TLS, or `unix:PATH`.",
                required: true
            )
        ] + RequestSettings.fields(at: \.requests),
        check: { settings, group, context in
            RequestSettings.checkAuthorization(group, &context)
            let refuse = { (name: String, what: String, context: inout DecodeContext) in
                guard let node = group[name] else { return }
                context.within(name) { $0.report(what, at: node.offset) }
            }
            if settings.endpoint.hasPath {
                refuse("endpoint", "an address of gRPC has no path; allowed: such as \"http://host:4317\"", &context)
            }
            if settings.requests.compression == .zstd {
                refuse("compression", "gRPC knows no zstd; allowed: \"gzip\", \"none\" or \"auto\"", &context)
            }
            if settings.requests.sigv4 != nil {
                refuse("sigv4", "it signs HTTP requests; allowed: without it, or the type otlp_http", &context)
            }
            let own = settings.requests.headers.map { $0.name.lowercased() }.filter(isOwn)
            if let name = own.first {
                refuse("headers", "the exporter sets \(quoted(name)) itself; allowed: without it", &context)
            }
            let binary = settings.requests.headers.filter { $0.name.lowercased().hasSuffix("-bin") }
            if let name = binary.first(where: { !isBase64($0.value.text) })?.name {
                refuse("headers", "gRPC takes \(quoted(name)) as bytes; allowed: base64", &context)
            }
        }
    )

    /// Whether gRPC gives a header its value.
    private static func isOwn(_ name: String) -> Bool {
        name == "te" || name == "host" || name.hasPrefix("grpc-") || name.hasPrefix(":")
    }

    /// Whether a text is base64, with its padding or without (the form of binary metadata).
    private static func isBase64(_ text: String) -> Bool {
        let letters = Array(text.utf8)
        return Base64.decode(letters.span.bytes, 0..<letters.count) != nil
    }

    package var signals: Set<Signal> { Set(Signal.allCases) }

    package var places: [DestinationPlace] {
        [DestinationPlace(setting: "endpoint", endpoint: endpoint, signals: signals, speech: .grpc)]
    }

    package var descriptors: Int { CurlLoop.descriptorsPerExporter }

    package func makeExporter(in context: ExporterContext) -> any Exporter {
        var connection = requests.connection
        connection.unixSocket = endpoint.unixSocket
        connection.needsHTTP2 = true
        return OTLPGRPCExporter(self, encoder: context.encoder, client: requests.clients(in: context)(connection))
    }
}
