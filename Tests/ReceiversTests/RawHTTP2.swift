import NIOCore
import NIOHPACK
import TestKit
import Testing

/// A client of HTTP/2 that sends exactly the frames it is told, and reads what comes back.
final class RawHTTP2 {
    /// One frame (RFC 9113 section 4.1).
    struct Frame {
        /// The types that tests send or expect.
        enum Kind: UInt8 {
            case data = 0, headers, priority, reset, settings, promise, ping, goAway, windowUpdate, continuation
        }

        static let endStream: UInt8 = 0x1
        static let acknowledges: UInt8 = 0x1
        static let endHeaders: UInt8 = 0x4

        let kind: Kind?
        let flags: UInt8
        let stream: UInt32
        let payload: [UInt8]

        var isLast: Bool { flags & Self.endStream != 0 }
    }

    /// What a call comes to.
    struct Outcome {
        var headers: HPACKHeaders = [:]
        var body: [UInt8] = []
        /// Whether the server reset the stream without an answer.
        var isReset = false

        var status: String? { headers.first(name: "grpc-status") }
        var message: String { headers.first(name: "grpc-message") ?? "" }
        var details: String? { headers.first(name: "grpc-status-details-bin") }
        /// The response message, without its prefix.
        var response: [UInt8] { Array(body.dropFirst(5)) }
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    let connection: RawConnection
    private var unread: [UInt8] = []
    private var encoder = HPACKEncoder(allocator: ByteBufferAllocator())
    private var decoder = HPACKDecoder(allocator: ByteBufferAllocator())
    private var nextStream: UInt32 = 1
    /// Why the server ends the connection, once it has said so.
    private(set) var goAway: UInt32?

    /// Nothing is sent yet.
    init(_ connection: RawConnection) {
        self.connection = connection
    }

    /// Sends what a connection begins with.
    func begin(settings: [UInt8] = []) async {
        await connection.send(Self.preface + Self.frame(.settings, payload: settings))
    }

    static func frame(_ kind: Frame.Kind, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []) -> [UInt8] {
        let count = payload.count
        let head = [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), kind.rawValue, flags]
        return head + bytes(stream) + payload
    }

    static func bytes(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(number >> (24 - 8 * $0) & 255) } }

    @discardableResult
    func send(_ kind: Frame.Kind, flags: UInt8 = 0, stream: UInt32 = 0, payload: [UInt8] = []) async -> Bool {
        await connection.send(Self.frame(kind, flags: flags, stream: stream, payload: payload))
    }

    /// A head, compressed.
    func block(_ headers: HPACKHeaders) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try encoder.encode(headers: headers, to: &buffer)
        return Array(buffer.readableBytesView)
    }

    /// The head of an export, with some of it replaced or added.
    static func head(_ signal: String = "trace.v1.Trace", _ changes: HPACKHeaders = [:]) -> HPACKHeaders {
        let usual: HPACKHeaders = [
            ":method": "POST", ":scheme": "http",
            ":path": "/opentelemetry.proto.collector.\(signal)Service/Export",
            ":authority": "localhost", "content-type": "application/grpc", "te": "trailers",
        ]
        var headers: HPACKHeaders = [:]
        for (name, value, _) in usual { headers.add(name: name, value: changes.first(name: name) ?? value) }
        for (name, value, _) in changes where !usual.contains(name: name) { headers.add(name: name, value: value) }
        return headers
    }

    /// A message behind its prefix.
    static func message(_ body: [UInt8], flag: UInt8 = 0) -> [UInt8] { [flag] + bytes(UInt32(body.count)) + body }

    /// Begins a call with that head and returns its stream.
    func open(_ headers: HPACKHeaders = RawHTTP2.head(), ends: Bool = false) async throws -> UInt32 {
        let stream = nextStream
        nextStream += 2
        let flags = Frame.endHeaders | (ends ? Frame.endStream : 0)
        await send(.headers, flags: flags, stream: stream, payload: try block(headers))
        return stream
    }

    /// Begins so many calls.
    func openMany(_ count: Int) async throws -> [UInt32] {
        var streams: [UInt32] = []
        for _ in 0..<count { streams.append(try await open()) }
        return streams
    }

    /// Sends a message and the end of its call, in frames of the usual size; at most as much as the first window of a connection.
    func sendMessage(_ body: [UInt8], on stream: UInt32) async {
        let bytes = Self.message(body)
        for start in stride(from: 0, to: bytes.count, by: 16_384) {
            let end = min(start + 16_384, bytes.count)
            let flags = end == bytes.count ? Frame.endStream : 0
            await send(.data, flags: flags, stream: stream, payload: Array(bytes[start..<end]))
        }
    }

    /// Makes a call whose bytes are these, and returns what becomes of it.
    func call(_ bytes: [UInt8], _ headers: HPACKHeaders = RawHTTP2.head()) async throws -> Outcome? {
        let stream = try await open(headers)
        await send(.data, flags: Frame.endStream, stream: stream, payload: bytes)
        return try await outcome(of: stream)
    }

    /// Makes a call and expects that status.
    func expect(
        _ status: String,
        _ bytes: [UInt8],
        _ headers: HPACKHeaders = RawHTTP2.head(),
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        let outcome = try await call(bytes, headers)
        #expect(outcome?.status == status, sourceLocation: location)
    }

    /// The next frame; nil where the server closed.
    func next() async -> Frame? {
        while true {
            if let frame = parse() { return frame }
            guard let bytes = await connection.receiveSome(), !bytes.isEmpty else { return nil }
            unread += bytes
        }
    }

    /// Reads until a call is over; nil where the connection is before.
    func outcome(of stream: UInt32) async throws -> Outcome? {
        var outcome = Outcome()
        while let frame = await next() {
            if try await note(frame, of: stream, &outcome) { return outcome }
        }
        return nil
    }

    /// Reads until the server closes; why, as far as it said so.
    func end() async -> UInt32? {
        while let frame = await next() {
            if frame.kind == .goAway { goAway = Self.number(frame.payload[4..<8]) }
            if frame.kind == .ping, frame.flags == 0 {
                await send(.ping, flags: Frame.acknowledges, payload: frame.payload)
            }
        }
        return goAway
    }

    static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }

    private func note(_ frame: Frame, of stream: UInt32, _ outcome: inout Outcome) async throws -> Bool {
        switch frame.kind {
        case .headers:
            var buffer = ByteBuffer(bytes: frame.payload)
            let headers = try decoder.decodeHeaders(from: &buffer)
            guard frame.stream == stream else { return false }
            for (name, value, _) in headers { outcome.headers.add(name: name, value: value) }
            return frame.isLast
        case .data where frame.stream == stream:
            outcome.body += frame.payload
            return frame.isLast
        case .reset where frame.stream == stream:
            outcome.isReset = true
            return true
        case .settings where frame.flags == 0: await send(.settings, flags: Frame.acknowledges)
        case .ping where frame.flags == 0: await send(.ping, flags: Frame.acknowledges, payload: frame.payload)
        case .goAway: goAway = Self.number(frame.payload[4..<8])
        default: break
        }
        return false
    }

    private func parse() -> Frame? {
        guard unread.count >= 9 else { return nil }
        let count = Int(Self.number(unread[0..<3]))
        guard unread.count >= 9 + count else { return nil }
        defer { unread.removeFirst(9 + count) }
        return Frame(
            kind: Frame.Kind(rawValue: unread[3]),
            flags: unread[4],
            stream: Self.number(unread[5..<9]),
            payload: Array(unread[9..<(9 + count)])
        )
    }
}
