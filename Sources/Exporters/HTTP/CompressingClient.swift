import Basics

/// Sends bodies compressed where the destination takes that.
struct CompressingClient: Sendable {
    /// Smaller bodies go out as they are.
    private static let bytesMin = 512

    private let client: any HTTPClient
    private let encoder: BodyEncoder
    private let memory: CompressionMemory

    init(client: any HTTPClient, encoder: BodyEncoder, memory: CompressionMemory) {
        self.client = client
        self.encoder = encoder
        self.memory = memory
    }

    /// Sends one request with its plain body, and once more uncompressed where the rejection may blame the compression.
    func send(_ request: HTTPRequest, mayCompress: Bool = true) async throws(HTTPFailure) -> HTTPResponse {
        do throws(HTTPFailure) {
            return try await sendOnceOrTwice(request, mayCompress: mayCompress)
        } catch {
            if case .unreachable = error { memory.wasUnreachable() }
            throw error
        }
    }

    private func sendOnceOrTwice(
        _ request: HTTPRequest,
        mayCompress: Bool
    ) async throws(HTTPFailure) -> HTTPResponse {
        guard mayCompress, let coding = memory.coding, request.body.count >= Self.bytesMin,
            let body = await encoder.compress(request.body, coding)
        else { return try await client.send(request) }
        var compressed = request
        compressed.body = body
        compressed.headers.append(HTTPHeader("Content-Encoding", coding.rawValue))
        let response = try await client.send(compressed)
        if response.isSuccess { memory.tookCompressed() }
        guard memory.mayBlameCompression(response.status) else { return response }
        let plain = try await client.send(request)
        if plain.isSuccess { memory.tookOnlyPlain() }
        return plain
    }
}

extension HTTPResponse {
    /// Any 2xx.
    var isSuccess: Bool { (200..<300).contains(status) }
}
