import Basics
import OTLP
import Pipeline

/// What a gRPC server said of a unary call: the status of its trailers, and the message where it is OK.
///
/// Specification: "gRPC over HTTP2", section "Responses".
struct GRPCReply: Sendable {
    /// The status code, of 0 to 16.
    let code: Int
    /// What the server says about it, for people.
    let message: String
    /// When it may be tried again; nil where the server names no time.
    let pause: Duration?
    /// The message, empty where there is none.
    let body: [UInt8]
    private let mask: @Sendable (String) -> String

    /// Nil for an answer that is not gRPC's.
    init?(_ response: HTTPResponse) {
        guard response.isGRPC, let code = response.header("grpc-status").flatMap({ Int($0) }),
            response.status == 200 || code != 0
        else { return nil }
        self.code = code
        message = response.mask((response.header("grpc-message") ?? "").percentDecoded)
        mask = response.mask
        pause = response.header("grpc-status-details-bin").flatMap { text in
            let letters = Array(text.utf8)
            return Base64.decode(letters.span.bytes, 0..<letters.count).flatMap { RetryInfo.pause(in: $0) }
        }
        body = Self.unframed(response.body, response.header("grpc-encoding"))
    }

    /// One message with its flag and its length before it.
    static func framed(_ message: [UInt8], isCompressed: Bool) -> [UInt8] {
        var frame: [UInt8] = [isCompressed ? 1 : 0]
        frame.reserveCapacity(message.count + prefixBytes)
        for shift in [24, 16, 8, 0] { frame.append(UInt8(truncatingIfNeeded: message.count >> shift)) }
        return frame + message
    }

    private static let prefixBytes = 5

    /// The one message of an answer; empty where there is none, or more than it says.
    ///
    /// Servers in Go answer in the coding of the request, whatever the client accepts.
    private static func unframed(_ frame: [UInt8], _ coding: String?) -> [UInt8] {
        guard frame.count >= prefixBytes else { return [] }
        let length = frame[1..<prefixBytes].reduce(0) { $0 << 8 | Int($1) }
        let message = frame[prefixBytes...]
        guard message.count == length else { return [] }
        if frame[0] == 0 { return Array(message) }
        return coding == "gzip" ? Gzip.decompress(message, bytesMax: messageMax) ?? [] : []
    }

    /// Bytes of an answer's message, at most: it has a count and a text.
    private static let messageMax = 1 << 20
}

extension GRPCReply {
    /// Whether the server cannot read the message's compression: UNIMPLEMENTED says it for certain, INVALID_ARGUMENT may mean it
    /// where the server has read no compressed message yet.
    func blamesCompression(isUntried: Bool) -> Bool { code == 12 || code == 3 && isUntried }

    /// What became of the batch: the one table (protocol section "OTLP/gRPC", statuses by number).
    ///
    /// The specification lets a client drop what is answered with most codes. A gateway has accepted the data and loses nothing:
    /// it waits for somebody to act where the server, its address or the credentials are at fault, and a lack of room passes.
    func outcome(_ signal: Signal) -> DeliveryOutcome {
        if code == 0 {
            guard let answer = ExportResponse(decoding: body, .protobuf, signal: signal) else {
                return .delivered
            }
            return .delivered(rejected: Int(clamping: answer.rejected), message: mask(answer.message).excerpt())
        }
        if isAboutSize { return .tooLarge(rejection) }
        switch code {
        // DEADLINE_EXCEEDED.
        case 4: return .timedOut(reason: reason)
        // CANCELLED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        case 1, 8, 10, 11, 14, 15: return .unavailable(reason: reason, after: pause)
        // NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION, UNIMPLEMENTED, UNAUTHENTICATED.
        case 5, 7, 9, 12, 16: return .parked(reason: reason)
        // INVALID_ARGUMENT, ALREADY_EXISTS.
        case 3, 6: return .refused(rejection)
        // UNKNOWN, INTERNAL.
        default: return .failed(rejection)
        }
    }

    /// Servers in Go, Java, C++, .NET and Node say so with RESOURCE_EXHAUSTED, those in Rust with OUT_OF_RANGE, and only in words;
    /// what speaks of a rate or a quota passes with time.
    private var isAboutSize: Bool {
        guard code == 8 || code == 11, pause == nil else { return false }
        let text = message.lowercased()
        let says = { (words: [String]) in words.contains { text.contains($0) } }
        return says(["larger than", "longer than", "too large", "too long", "too big", "exceed", "over the limit"])
            && says(["message", "body", "request", "size", "length", "bytes"])
            && !says(["rate", "quota", "per second", "per minute", "too many", "throttl"])
    }

    private var rejection: Rejection { Rejection(status: nil, reason: reason, body: Array(message.utf8)) }

    private var reason: String {
        let name = Self.names.indices.contains(code) ? Self.names[code] : "\(code)"
        return message.isEmpty ? "gRPC status \(name)" : "gRPC status \(name): \(message.excerpt())"
    }

    private static let names = [
        "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
        "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
        "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
    ]
}

extension HTTPResponse {
    /// Whether the content is said to be gRPC's.
    var isGRPC: Bool { header("content-type")?.lowercased().hasPrefix("application/grpc") == true }
}
