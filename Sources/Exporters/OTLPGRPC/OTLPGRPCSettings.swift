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
            if settings.endpoint.hasPath, let node = group["endpoint"] {
                context.report("an address of gRPC has no path; allowed: such as \"http://host:4317\"", at: node.offset)
            }
            if settings.requests.compression == .zstd, let node = group["compression"] {
                context.report("gRPC knows no zstd; allowed: \"gzip\", \"none\" or \"auto\"", at: node.offset)
            }
            if settings.requests.sigv4 != nil, let node = group["sigv4"] {
                context.report(
                    "\"sigv4\" signs HTTP requests; allowed: without it, or the type otlp_http",
                    at: node.offset
                )
            }
        }
    )

    package var signals: Set<Signal> { Set(Signal.allCases) }

    package var descriptors: Int { CurlLoop.descriptorsPerExporter }

    package func makeExporter(in context: ExporterContext) -> any Exporter {
        var connection = requests.connection
        connection.unixSocket = endpoint.unixSocket
        connection.needsHTTP2 = true
        return OTLPGRPCExporter(self, encoder: context.encoder, client: requests.clients(in: context)(connection))
    }
}
