import Basics
import HTTPClient
package import OTLP
package import Pipeline
package import Settings

/// The settings of an `otlp_http` exporter.
package struct OTLPHTTPSettings: Sendable {
    /// The base address, to which `/v1/traces` and the like are added; nil where every signal has its own.
    package var endpoint: HTTPEndpoint?
    /// Base addresses that stand in for each other, the best first; empty where `endpoint` says where to send.
    package var endpoints: [HTTPEndpoint] = []
    /// Whole addresses of single signals (`traces_endpoint`, …), used as they are.
    package var signalEndpoints: [Signal: HTTPEndpoint] = [:]
    /// How bodies are written; protobuf by default.
    package var encoding = BodyEncoding.protobuf
    package var requests: RequestSettings
    /// The destination's name, whose settings stand beside these already; nil for none.
    package var preset: String?
    /// Which of its addresses.
    package var region: String?
    package var limits = DestinationLimits()

    package init(endpoint: HTTPEndpoint?, requests: RequestSettings = RequestSettings()) {
        self.endpoint = endpoint
        self.requests = requests
    }
}

extension OTLPHTTPSettings: DestinationSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Delivers to any OTLP backend over HTTP.",
        OTLPHTTPSettings(endpoint: nil),
        [
            Field(
                "endpoint",
                optional: \.endpoint,
                .endpoint,
                "The backend's base address; `/v1/traces`, `/v1/metrics` and `/v1/logs` are appended."
            ),
            Field(
                "traces_endpoint",
                optional: \.signalEndpoints[.traces],
                .endpoint,
                "The whole address for spans, as it stands."
            ),
            Field(
                "metrics_endpoint",
                optional: \.signalEndpoints[.metrics],
                .endpoint,
                "The whole address for metrics, as it stands."
            ),
            Field(
                "logs_endpoint",
                optional: \.signalEndpoints[.logs],
                .endpoint,
                "The whole address for log records, as it stands."
            ),
            Field("encoding", \.encoding, .choice(["protobuf": .protobuf, "json": .json]), "How bodies are written."),
            Field(
                "preset",
                optional: \.preset,
                .text,
                "A destination that `millrace presets` knows: its address, headers and limits, unless the file says them."
            ),
            Field(
                "region",
                optional: \.region,
                .text,
                "Which address of the preset; the first that it has by default."
            ),
            Field("limits", \.limits, .group(.destinationLimits), "What the destination takes; a preset says it."),
            Field(
                "endpoints",
                \.endpoints,
                .list(of: .endpoint),
                "In place of `endpoint`: base addresses in order. Everything goes to the first; while its circuit is open, to the next one, and back to "
                    + "the first once it takes one request. An address that answers, and turns requests away with 401, 403 or 404, is not down. A request that an address did not answer in time may be stored at two of them."
            ),
        ] + RequestSettings.fields(at: \.requests),
        check: { settings, group, context in
            RequestSettings.checkAuthorization(group, &context)
            if let endpoint = settings.endpoint, let node = group["endpoint"],
                let signal = Signal.allCases.first(where: { endpoint.url.hasSuffix($0.defaultPath) })
            {
                let setting = quoted("\(signal.name)_endpoint")
                context.within("endpoint") { context in
                    context.report(
                        "the path \(signal.defaultPath) is added to it once more; \(setting) takes whole addresses",
                        at: node.offset,
                        as: .warning
                    )
                }
            }
            if let region = group["region"], group["preset"] == nil {
                context.within("region") { context in
                    context.report("it chooses an address of a \"preset\", which is missing", at: region.offset)
                }
            }
            checkEndpoints(group, &context)
            let names = ["preset", "endpoint", "endpoints", "traces_endpoint", "metrics_endpoint", "logs_endpoint"]
            guard names.allSatisfy({ group[$0] == nil || group[$0]?.elements?.isEmpty == true }) else { return }
            let what = "\"endpoint\" or an address of a signal, such as \"traces_endpoint\", is missing"
            context.report("\(what); allowed: \(HTTPEndpoint.form)", at: group.offset)
        }
    )

    /// All where there is a base address, else those with one of their own.
    package var signals: Set<Signal> {
        endpoint == nil && endpoints.isEmpty ? Set(signalEndpoints.keys) : Set(Signal.allCases)
    }

    package var places: [DestinationPlace] {
        guard endpoints.isEmpty else {
            return endpoints.map { endpoint in
                DestinationPlace(setting: "endpoints", endpoint: endpoint, signals: Set(Signal.allCases), speech: .http)
            }
        }
        let own = Signal.allCases.compactMap { signal in
            signalEndpoints[signal].map { endpoint in
                let setting = "\(signal.name)_endpoint"
                return DestinationPlace(setting: setting, endpoint: endpoint, signals: [signal], speech: .http)
            }
        }
        guard let endpoint else { return own }
        let rest = Set(Signal.allCases).subtracting(signalEndpoints.keys)
        return own + [DestinationPlace(setting: "endpoint", endpoint: endpoint, signals: rest, speech: .http)]
    }

    package var descriptors: Int { CurlLoop.descriptorsPerExporter * max(1, endpoints.count) }

    package func makeExporter(in context: ExporterContext) -> any Exporter {
        OTLPHTTPExporter(
            self,
            encoder: context.encoder,
            circuits: circuits(in: context),
            client: requests.clients(in: context)
        )
    }

    private func circuits(in context: ExporterContext) -> EndpointCircuits? {
        guard !endpoints.isEmpty else { return nil }
        let circuits = EndpointCircuits(
            endpoints.map { endpoint in endpoint.unixSocket.map { "unix:\($0)" } ?? endpoint.url },
            of: context.name,
            retry: context.retry,
            events: context.meters.events,
            logger: context.logger
        )
        context.meters.gauge("millrace_exporter_endpoint_in_use", ["exporter": context.name]) { [weak circuits] in
            // One that has no endpoints any more sends to its one address.
            Double(circuits?.positionInUse ?? 1)
        }
        return circuits
    }

    /// Reports a list that is too long, or other addresses beside it; an empty one is none.
    private static func checkEndpoints(_ group: Group, _ context: inout DecodeContext) {
        guard let list = group["endpoints"]?.elements, !list.isEmpty else { return }
        context.within("endpoints") { context in
            let offset = group["endpoints"]?.offset ?? group.offset
            if list.count > endpointsMax {
                context.report("\(list.count) addresses; at most \(endpointsMax) are allowed", at: offset)
            }
            let others = ["endpoint", "traces_endpoint", "metrics_endpoint", "logs_endpoint"]
            guard let other = others.first(where: { group[$0] != nil }) else { return }
            context.report("\(quoted("endpoints")) and \(quoted(other)) exclude each other", at: offset)
        }
    }

    /// Addresses in `endpoints`, at most.
    private static let endpointsMax = 16
}
