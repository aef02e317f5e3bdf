import Basics

/// `google.rpc.Status`, the body of every failure (protocol section "Failures").
package struct RPCStatus: Sendable, Equatable {
    /// A gRPC status code; OTLP/HTTP leaves it unused.
    package var code: Int32
    /// What went wrong, for people.
    package var message: String
    /// Seconds after which a client may try again, sent as a `google.rpc.RetryInfo`, in protobuf alone; nil for no such detail.
    package var retrySeconds: Int64?
    /// What is wrong with the data, sent as a `google.rpc.BadRequest`; nil for no such detail, and in what was read.
    package var violation: String?

    package init(code: Int32 = 0, message: String, retrySeconds: Int64? = nil, violation: String? = nil) {
        self.retrySeconds = retrySeconds
        self.violation = violation
        self.code = code
        self.message = message
    }

    /// The body of an answer.
    package func encoded(_ encoding: ResponseEncoding) -> [UInt8] {
        switch encoding {
        case .protobuf: protobuf
        case .json: json
        }
    }

    /// Reads the body of an answer; nil where it is not one.
    package init?(decoding body: [UInt8], _ encoding: ResponseEncoding) {
        self.init(message: "")
        switch encoding {
        case .protobuf:
            guard (try? read(body)) != nil else { return nil }
        case .json:
            guard let node = try? JSONNode(parsing: body), node.members != nil else { return nil }
            code = node["code"]?.integer.flatMap { Int32(exactly: $0) } ?? 0
            message = node["message"]?.string ?? ""
        }
    }

    private var protobuf: [UInt8] {
        var body: [UInt8] = []
        if code != 0 {
            body.append(0x08)
            body.appendVarint(UInt64(bitPattern: Int64(code)))
        }
        body.appendText(0x12, message)
        if let retrySeconds { body.appendNested(0x1A, Self.retryInfo(retrySeconds)) }
        if let violation { body.appendNested(0x1A, Self.badRequest(violation)) }
        return body
    }

    private static let badRequestType = "type.googleapis.com/google.rpc.BadRequest"

    /// A `RetryInfo`, whose `retry_delay` is a `Duration`.
    private static func retryInfo(_ seconds: Int64) -> [UInt8] {
        var duration: [UInt8] = [0x08]
        duration.appendVarint(UInt64(bitPattern: seconds))
        var info: [UInt8] = []
        info.appendNested(0x0A, duration)
        return any("type.googleapis.com/google.rpc.RetryInfo", info)
    }

    /// A `BadRequest` with one `FieldViolation`, which has a description alone: the place is in its words.
    private static func badRequest(_ description: String) -> [UInt8] {
        var violation: [UInt8] = []
        violation.appendText(0x12, description)
        var request: [UInt8] = []
        request.appendNested(0x0A, violation)
        return any(badRequestType, request)
    }

    /// An `Any`.
    private static func any(_ type: String, _ content: [UInt8]) -> [UInt8] {
        var any: [UInt8] = []
        any.appendText(0x0A, type)
        any.appendNested(0x12, content)
        return any
    }

    private var json: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        if code != 0 {
            writer.key("code")
            writer.integer(code)
        }
        if !message.isEmpty {
            writer.key("message")
            writer.string(message)
        }
        if let violation { Self.write(badRequest: violation, to: &writer) }
        writer.endObject()
        return writer.bytes
    }

    private static func write(badRequest description: String, to writer: inout JSONWriter) {
        writer.key("details")
        writer.beginArray()
        writer.beginObject()
        writer.key("@type")
        writer.string(badRequestType)
        writer.key("fieldViolations")
        writer.beginArray()
        writer.beginObject()
        writer.key("description")
        writer.string(description)
        writer.endObject()
        writer.endArray()
        writer.endObject()
        writer.endArray()
    }

    private mutating func read(_ body: [UInt8]) throws(WireError) {
        let text = body.span.bytes
        var reader = WireReader(0..<body.count)
        while let field = try reader.next(in: text) {
            if field.number == 1, field.form == .varint { code = Int32(truncatingIfNeeded: field.value) }
            if field.number == 2, field.form == .lengthDelimited { message = text.text(field.content) }
        }
    }
}
