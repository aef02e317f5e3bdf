import NIOCore
import Pipeline

/// The one message of a call while it arrives.
struct GRPCMessage {
    private var start: [UInt8] = []
    /// Its prefix, once that has come.
    private(set) var opened: GRPCPrefix?
    /// Takes what follows the prefix; nil before there is room for it.
    var body: BodyCollector?
    /// What is counted of it in its client's limits.
    var inFlight: BodyInFlight?
    /// Whom its memory counts for.
    var holder: MemoryHolder?
    /// Bytes that came of it.
    private var count = 0

    /// Whether its prefix has come.
    var hasBegun: Bool { opened != nil }

    /// Reads the prefix; nil while it is not whole.
    mutating func prefix(_ bytes: inout ByteBuffer) throws(HTTPError) -> GRPCPrefix? {
        let missing = min(GRPCPrefix.length - start.count, bytes.readableBytes)
        start += bytes.readBytes(length: missing) ?? []
        guard start.count == GRPCPrefix.length else { return nil }
        let prefix = try GRPCPrefix(start)
        opened = prefix
        return prefix
    }

    /// Takes the next bytes of it.
    mutating func append(_ bytes: ByteBuffer) throws(HTTPError) {
        guard bytes.readableBytes > 0 else { return }
        count += bytes.readableBytes
        guard count <= opened?.count ?? 0 else {
            throw HTTPError(.badRequest, "more than one message in a call; allowed: one")
        }
        try body?.append(bytes)
    }

    /// The whole message, after the client's last byte, and what it holds.
    mutating func finish() throws(HTTPError) -> ([UInt8], BodyRoom) {
        guard let opened, let room = body?.room else {
            throw HTTPError(.badRequest, "the call ends before its message begins")
        }
        guard count == opened.count, let body = try body?.finish() else {
            throw HTTPError(.badRequest, "the call ends \(opened.count - count) bytes before its message does")
        }
        return (body, room)
    }
}
