import NIOCore
import OTLP
import Pipeline

/// How the answer to one request is written.
struct AnswerForm {
    /// The request's own, where it has one.
    var encoding = BodyEncoding.protobuf
    /// Nil where the request names none; it is then refused.
    var signal: Signal?
    /// Whether the connection takes another request afterwards.
    var keepsAlive = false
    /// Whether the client must be told that it does: HTTP/1.0 closes otherwise.
    var saysKeepAlive = false
    /// `HEAD` is answered without the body.
    var omitsBody = false
    /// The web page that sent the request and may.
    var origin: AllowedOrigin?

    /// The whole HTTP/1.1 response.
    func response(_ answer: Answer, date: String) -> ByteBuffer {
        let body = answer.body(encoding, signal: signal ?? .traces)
        var buffer = ByteBufferAllocator().buffer(capacity: 256 + body.count)
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(answer.status.rawValue))
        buffer.writeStaticString(" ")
        buffer.writeStaticString(answer.status.reason)
        writeFields(answer, bodyBytes: body.count, date: date, to: &buffer)
        if !keepsAlive {
            buffer.writeStaticString("\r\nconnection: close")
        } else if saysKeepAlive {
            buffer.writeStaticString("\r\nconnection: keep-alive")
        }
        buffer.writeStaticString("\r\n\r\n")
        if !omitsBody { buffer.writeBytes(body) }
        return buffer
    }

    /// What the head says in any version of HTTP, as header lines that each begin with a line end.
    func writeFields(_ answer: Answer, bodyBytes: Int, date: String, to buffer: inout ByteBuffer) {
        buffer.writeStaticString("\r\ndate: ")
        buffer.writeString(date)
        if case .preflight(let lines) = answer {
            buffer.writeString(lines)
        } else {
            buffer.writeStaticString("\r\ncontent-type: ")
            buffer.writeStaticString(encoding == .json ? "application/json" : "application/x-protobuf")
            buffer.writeStaticString("\r\ncontent-length: ")
            buffer.writeString(String(bodyBytes))
        }
        if case .failure(let refusal) = answer { writeHeaders(of: refusal, to: &buffer) }
        if let origin { buffer.writeString(origin.lines) }
    }

    private func writeHeaders(of refusal: HTTPError, to buffer: inout ByteBuffer) {
        if let seconds = refusal.retrySeconds {
            buffer.writeStaticString("\r\nretry-after: ")
            buffer.writeString(String(seconds))
        }
        if let header = refusal.header {
            buffer.writeStaticString("\r\n")
            buffer.writeStaticString(header)
        }
    }
}
