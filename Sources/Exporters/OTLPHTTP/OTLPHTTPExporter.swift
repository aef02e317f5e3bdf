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
    private let destinations: [Signal: Destination]

    /// - Parameters:
    ///   - settings: What to send where.
    ///   - encoder: Compresses, and writes JSON.
    ///   - wallClock: For dates in `Retry-After`.
    ///   - client: Makes the client for a connection's settings, which adds headers and credentials.
    package init(
        _ settings: OTLPHTTPSettings,
        encoder: BodyEncoder,
        wallClock: WallClock = .system,
        client: (ConnectionSettings) -> any HTTPClient
    ) {
        self.settings = settings
        self.encoder = encoder
        self.wallClock = wallClock
        var destinations: [Signal: Destination] = [:]
        for signal in Signal.allCases {
            let own = settings.signalEndpoints[signal]
            guard let endpoint = own ?? settings.endpoint else { continue }
            var connection = settings.requests.connection
            connection.unixSocket = endpoint.unixSocket ?? connection.unixSocket
            destinations[signal] = Destination(
                url: own?.url ?? endpoint.url(path: signal.defaultPath),
                client: CompressingClient(
                    client: client(connection),
                    encoder: encoder,
                    memory: CompressionMemory(settings.requests.compression, to: endpoint)
                )
            )
        }
        self.destinations = destinations
    }

    package var concurrency: Int { settings.requests.concurrency }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        guard let destination = destinations[batch.signal] else {
            return .unsendable(reason: "there is no endpoint for \(batch.signal.name)")
        }
        guard let body = await body(of: batch) else {
            return .refused(Rejection(status: nil, reason: "the batch cannot be written as JSON"))
        }
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
