import OTLP
import Pipeline

extension Answer {
    /// The longest message sent, in bytes of UTF-8; keeps an answer far below the 4 MiB that clients read.
    private static let messageBytesMax = 16_384

    /// An `Export…ServiceResponse`, or a `google.rpc.Status` for a failure.
    func body(_ encoding: BodyEncoding, signal: Signal) -> [UInt8] {
        let encoding: ResponseEncoding = encoding == .json ? .json : .protobuf
        switch self {
        case .preflight: return []
        case .success: return ExportResponse().encoded(encoding, signal: signal)
        case .partial(let rejected, let message):
            let response = ExportResponse(rejected: Int64(clamping: rejected), message: Self.shortened(message))
            return response.encoded(encoding, signal: signal)
        case .failure(let refusal):
            let message = Self.shortened(refusal.message)
            let violation = refusal.status == .badRequest ? message : nil
            return RPCStatus(code: refusal.status.rpcCode, message: message, violation: violation).encoded(encoding)
        }
    }

    private static func shortened(_ message: String) -> String {
        guard message.utf8.count > messageBytesMax else { return message }
        return String(decoding: message.utf8.prefix(messageBytesMax), as: UTF8.self) + "…"
    }
}
