package import Basics
package import HTTPClient
import OTLP
package import Pipeline

/// Sends batches to any OTLP/HTTP destination.
package struct OTLPHTTPExporter: Exporter {
    /// Where one signal goes.
    private struct Destination {
        let url: String
        let client: CompressingClient
    }

    private let settings: OTLPHTTPSettings
    private let encoder: BodyEncoder
    private let wallClock: WallClock
    /// By signal, for each address in the order in which they are asked.
    private let ways: [[Signal: Destination]]
    private let circuits: EndpointCircuits?

    /// - Parameters:
    ///   - settings: What to send where.
    ///   - encoder: Compresses, and writes JSON.
    ///   - circuits: Choose among the settings' `endpoints`; nil where there are none.
    ///   - wallClock: For dates in `Retry-After`.
    ///   - client: Makes the client for a connection's settings, which adds headers and credentials.
    package init(
        _ settings: OTLPHTTPSettings,
        encoder: BodyEncoder,
        circuits: EndpointCircuits? = nil,
        wallClock: WallClock = .system,
        client: (ConnectionSettings) -> any HTTPClient
    ) {
        self.settings = settings
        self.encoder = encoder
        self.circuits = circuits
        self.wallClock = wallClock
        let bases = settings.endpoints.isEmpty ? [settings.endpoint] : settings.endpoints.map(Optional.some)
        ways = bases.map { base in
            var way: [Signal: Destination] = [:]
            for signal in Signal.allCases {
                let own = settings.signalEndpoints[signal]
                guard let endpoint = own ?? base else { continue }
                var connection = settings.requests.connection
                connection.unixSocket = endpoint.unixSocket ?? connection.unixSocket
                way[signal] = Destination(
                    url: own?.url ?? endpoint.url(path: signal.defaultPath),
                    client: CompressingClient(
                        client: client(connection),
                        encoder: encoder,
                        memory: CompressionMemory(settings.requests.compression, to: endpoint)
                    )
                )
            }
            return way
        }
    }

    package var concurrency: Int { settings.requests.concurrency }
    package var endpoints: [EndpointCondition] { circuits?.conditions ?? [] }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        guard ways[0][batch.signal] != nil else {
            return .unsendable(reason: "there is no endpoint for \(batch.signal.name)")
        }
        guard let body = await body(of: batch) else {
            return .refused(Rejection(status: nil, reason: "the batch cannot be written as JSON"))
        }
        guard let circuits else { return await send(body, of: batch, by: 0) }
        var asked: Set<Int> = []
        var outcome = DeliveryOutcome.cancelled
        while let way = circuits.begin(except: asked) {
            asked.insert(way)
            outcome = await send(body, of: batch, by: way)
            guard circuits.end(outcome, at: way) else { break }
        }
        return outcome
    }

    private func send(_ body: [UInt8], of batch: Batch, by way: Int) async -> DeliveryOutcome {
        guard let destination = ways[way][batch.signal] else { return .cancelled }
        let type = settings.encoding == .json ? "application/json" : "application/x-protobuf"
        let request = HTTPRequest(
            method: "POST",
            url: destination.url,
            headers: [HTTPHeader("Content-Type", type)] + batch.headers.forwardable(),
            body: body,
            timeout: settings.requests.timeout
        )
        do throws(HTTPFailure) {
            let response = try await destination.client.send(request)
            return OTLPAnswer.outcome(of: response, signal: batch.signal, now: wallClock.now())
        } catch {
            return OTLPAnswer.outcome(of: error)
        }
    }

    /// The body in the wanted encoding; nil where its protobuf cannot be read.
    private func body(of batch: Batch) async -> [UInt8]? {
        guard settings.encoding == .json else { return batch.payload }
        return await encoder.json(batch.payload, batch.signal)
    }
}
