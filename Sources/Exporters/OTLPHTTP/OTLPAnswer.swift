import Basics
import OTLP
import Pipeline

/// What the answers of an OTLP destination mean: the one table (protocol sections "Failures" and "Partial Success").
enum OTLPAnswer {
    /// What became of the batch that got this answer.
    ///
    /// The specification lets a client drop what is answered with any status but 429, 502, 503 and 504. A gateway has
    /// accepted the data and loses nothing, so it also tries again after 408, 500 and other server errors, and waits for
    /// somebody to act where the address, the method, the content type or the credentials are at fault.
    static func outcome(of response: HTTPResponse, signal: Signal, now: UnixTime) -> DeliveryOutcome {
        switch response.status {
        case 200..<300: success(response, signal)
        case 408, 504: .timedOut(reason: reason(response))
        case 429, 502, 503: .unavailable(reason: reason(response), after: response.retryAfter(now: now))
        case 413: .tooLarge(rejection(response))
        case 300..<400: .parked(reason: "redirected to \((response.header("location") ?? "nowhere").excerpt())")
        case 401...405, 407, 410, 415, 501: .parked(reason: reason(response))
        case 500...: .failed(rejection(response))
        default: .refused(rejection(response))
        }
    }

    /// What a request without an answer means.
    static func outcome(of failure: HTTPFailure) -> DeliveryOutcome {
        switch failure {
        case .unreachable(let reason): .unavailable(reason: reason.excerpt(), after: nil)
        case .noCredentials(let reason, let after): .unavailable(reason: reason.excerpt(), after: after)
        case .unsendable(let reason): .unsendable(reason: "the request cannot be sent: \(reason.excerpt())")
        case .timedOut: .timedOut(reason: "no answer in time")
        // The protocol forbids trying again (section "OTLP/HTTP Response").
        case .responseTooLarge: .refused(Rejection(status: nil, reason: "the answer is over the limit of 4 MiB"))
        case .cancelled: .cancelled
        }
    }

    /// Delivered, whatever else the body holds, unless it counts rejected items; a message without any is a warning.
    static func success(_ response: HTTPResponse, _ signal: Signal) -> DeliveryOutcome {
        guard let encoding = response.bodyEncoding,
            let answer = ExportResponse(decoding: response.body, encoding, signal: signal)
        else { return .delivered }
        return .delivered(rejected: Int(clamping: answer.rejected), message: response.mask(answer.message).excerpt())
    }

    private static func rejection(_ response: HTTPResponse) -> Rejection {
        Rejection(status: response.status, reason: reason(response), body: response.body)
    }

    private static func reason(_ response: HTTPResponse) -> String {
        let message = response.destinationMessage
        return message.isEmpty ? "status \(response.status)" : "status \(response.status): \(message)"
    }
}

extension HTTPResponse {
    /// How the body is written, by its `Content-Type`, or by its first byte where that is missing; nil for neither.
    var bodyEncoding: ResponseEncoding? {
        guard !body.isEmpty else { return nil }
        let type = (header("content-type") ?? "").prefix { $0 != ";" }.lowercased()
        if type.hasSuffix("json") { return .json }
        if type.hasSuffix("protobuf") { return body.first == UInt8(ascii: "{") ? .json : .protobuf }
        return body.first == UInt8(ascii: "{") ? .json : nil
    }

    /// The destination's own words: of a `google.rpc.Status`, of the usual members of a JSON object, or the text
    /// itself; on one line, at most 300 characters.
    var destinationMessage: String {
        switch bodyEncoding {
        case .protobuf: (RPCStatus(decoding: body, .protobuf)?.message ?? "").excerpt()
        case .json: (jsonMessage ?? text).excerpt()
        case nil: text.excerpt()
        }
    }

    private var text: String { String(decoding: body.prefix(2048), as: UTF8.self) }

    private var jsonMessage: String? {
        guard let node = try? JSONNode(parsing: body) else { return nil }
        for name in ["message", "detail", "error", "error_description", "title"] {
            guard let member = node[name] else { continue }
            if let text = member.string ?? member["message"]?.string ?? member.elements?.first?["msg"]?.string {
                return text
            }
        }
        return nil
    }
}
