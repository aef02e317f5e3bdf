package import Basics
import HTTPClient
import OTLP
package import Pipeline

/// Sends batches to any OTLP/gRPC destination, as unary calls of libcurl over HTTP/2; the payload goes as it is.
package struct OTLPGRPCExporter: Exporter {
    /// Smaller bodies go out as they are.
    private static let compressedBytesMin = 512

    private let settings: OTLPGRPCSettings
    private let encoder: BodyEncoder
    private let client: any HTTPClient
    private let memory: CompressionMemory
    private let wallClock: WallClock

    /// - Parameters:
    ///   - settings: What to send where.
    ///   - encoder: Compresses.
    ///   - client: Speaks HTTP/2, and adds headers and credentials.
    ///   - wallClock: For dates in `Retry-After` of proxies.
    package init(
        _ settings: OTLPGRPCSettings,
        encoder: BodyEncoder,
        client: any HTTPClient,
        wallClock: WallClock = .system
    ) {
        self.settings = settings
        self.encoder = encoder
        self.client = client
        self.wallClock = wallClock
        memory = CompressionMemory(settings.requests.compression, to: settings.endpoint)
    }

    package var concurrency: Int { settings.requests.concurrency }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        do throws(HTTPFailure) {
            let response = try await send(batch)
            guard let reply = GRPCReply(response) else { return notGRPC(response, batch.signal) }
            return reply.outcome(batch.signal)
        } catch {
            if case .unreachable = error { memory.wasUnreachable() }
            return OTLPAnswer.outcome(of: error)
        }
    }

    /// The answer to the batch, which goes out once more uncompressed where that may be why it is refused.
    private func send(_ batch: Batch) async throws(HTTPFailure) -> HTTPResponse {
        guard memory.coding != nil, batch.payload.count >= Self.compressedBytesMin,
            let compressed = await encoder.compress(batch.payload, .gzip)
        else { return try await client.send(request(batch.payload, of: batch)) }
        let response = try await client.send(request(compressed, of: batch, isCompressed: true))
        let reply = GRPCReply(response)
        if reply?.code == 0 { memory.tookCompressed() }
        guard reply?.blamesCompression(isUntried: memory.isUntried) == true else { return response }
        let plain = try await client.send(request(batch.payload, of: batch))
        if GRPCReply(plain)?.code == 0 { memory.tookOnlyPlain() }
        return plain
    }

    private func request(_ message: [UInt8], of batch: Batch, isCompressed: Bool = false) -> HTTPRequest {
        let requests = settings.requests
        let milliseconds = min(max(1, requests.timeout.wholeNanoseconds / 1_000_000), 99_999_999)
        let own = [
            HTTPHeader("content-type", "application/grpc"), HTTPHeader("te", "trailers"),
            HTTPHeader("grpc-timeout", "\(milliseconds)m"),
        ]
        return HTTPRequest(
            method: "POST",
            url: settings.endpoint.url(path: batch.signal.grpcPath),
            headers: own + (isCompressed ? [HTTPHeader("grpc-encoding", "gzip")] : []) + batch.headers.forwardable(),
            body: GRPCReply.framed(message, isCompressed: isCompressed),
            timeout: requests.timeout
        )
    }

    /// An answer that was cut off, a proxy's, or that of a server that speaks something else, which says nothing of the batch.
    private func notGRPC(_ response: HTTPResponse, _ signal: Signal) -> DeliveryOutcome {
        if response.isSuccess, response.isGRPC {
            return .failed(Rejection(status: nil, reason: "the answer ended without a gRPC status"))
        }
        if !response.isSuccess {
            let outcome = OTLPAnswer.outcome(of: response, signal: signal, now: wallClock.now())
            guard case .refused = outcome else { return outcome }
        }
        let type = response.header("content-type").map { "content type \($0.excerpt(max: 80))" } ?? "no content type"
        return .parked(reason: "the answer is not gRPC's: status \(response.status), \(type); is it an OTLP/HTTP port?")
    }
}
