import Basics
import NIOCore
import NIOHPACK
import OTLP
import Pipeline

/// The end of a call: its message, where there is one, and the trailers.
struct GRPCAnswer {
    let code: GRPCCode
    /// The response message, without its prefix; nil for a failure.
    var message: [UInt8]?
    /// What is wrong, for people.
    var text = ""
    /// Seconds after which the client may try again; nil for what does not pass.
    var retrySeconds: Int64?

    /// The codings of requests that are taken.
    static let acceptedEncodings = "identity,gzip,deflate,zstd"
    private static let contentType = "application/grpc"
    /// The longest text sent, in bytes: clients bound what they read of headers, some at 8 KiB.
    private static let textMax = 1024

    /// An export's answer, as the pipelines gave it.
    init(_ answer: Answer, of signal: Signal?) {
        code = GRPCCode(answer.status)
        if case .failure(let refusal) = answer {
            text = refusal.message
            retrySeconds = refusal.retrySeconds
        } else {
            message = answer.body(.protobuf, signal: signal ?? .traces)
        }
    }

    /// A success of another method.
    init(message: [UInt8]) {
        code = .ok
        self.message = message
    }

    /// A failure.
    init(_ code: GRPCCode, _ text: String) {
        self.code = code
        self.text = text
    }

    /// What comes before the message.
    static let head: HPACKHeaders = [
        ":status": "200", "content-type": contentType, "grpc-accept-encoding": acceptedEncodings,
    ]

    /// The message behind its prefix: not compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message").
    func framed(_ message: [UInt8]) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 5 + message.count)
        buffer.writeInteger(UInt8(0))
        buffer.writeInteger(UInt32(message.count))
        buffer.writeBytes(message)
        return buffer
    }

    /// What ends the call; where nothing came before, with what else a response needs ("Trailers-Only").
    var trailers: HPACKHeaders {
        var headers: HPACKHeaders = message == nil ? Self.head : [:]
        headers.add(name: "grpc-status", value: String(code.rawValue))
        guard code != .ok else { return headers }
        let text = String(decoding: self.text.utf8.prefix(Self.textMax), as: UTF8.self)
        // A table of the client's size that kept such texts would be searched with each answer.
        headers.add(name: "grpc-message", value: text.grpcEncoded, indexing: .nonIndexable)
        let violation = code == .invalidArgument ? text : nil
        if retrySeconds != nil || violation != nil {
            let status = RPCStatus(
                code: Int32(code.rawValue),
                message: text,
                retrySeconds: retrySeconds,
                violation: violation
            )
            let details = status.encoded(.protobuf).base64
            headers.add(name: "grpc-status-details-bin", value: details, indexing: .nonIndexable)
        }
        return headers
    }
}

extension String {
    /// Everything but printable ASCII, and `%`, as `%XX` (gRPC over HTTP/2, "Status-Message").
    fileprivate var grpcEncoded: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for byte in utf8 {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                encoded.append(byte)
            } else {
                encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
