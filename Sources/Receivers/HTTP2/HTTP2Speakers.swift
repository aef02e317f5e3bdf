import Logging
import NIOCore
import NIOHPACK
import TLS

/// What requests over HTTP/2 may speak on a listener, and which receivers take them.
///
/// Only used on the event loop of its connection.
struct HTTP2Speakers {
    /// Of an `otlp_grpc` receiver; nil where none listens here.
    var grpc: LoopObserver?
    /// Of an `otlp_http` receiver; nil where none listens here.
    var http: LoopObserver?

    private static let notGRPC =
        "this port speaks OTLP over gRPC; OTLP over HTTP goes to the port of an otlp_http receiver, 4318 by default"
    private static let notHTTP =
        "this port speaks OTLP over HTTP; OTLP over gRPC goes to the port of an otlp_grpc receiver, 4317 by default"

    /// The request with that head.
    ///
    /// - Parameters:
    ///   - fields: The head.
    ///   - hasBody: Whether the request goes on behind it.
    ///   - connection: The one that it came by.
    /// - Returns: The request; nil where nobody here takes what it speaks.
    func request(_ fields: HPACKHeaders, hasBody: Bool, on connection: HTTP2Connection) -> (any StreamRequest)? {
        if fields.isGRPC { return grpc.map { GRPCStreamRequest(fields, for: $0, on: connection) } }
        return http.map { HTTPStreamRequest(fields, hasBody: hasBody, for: $0, on: connection) }
    }

    /// What the client of a request that nobody here takes is told, in its own words: an answer of HTTP says nothing to one of
    /// gRPC, which waits for its deadline and gives its batch up.
    func misplaced(_ fields: HPACKHeaders, on connection: HTTP2Connection) -> StreamReply {
        if fields.isGRPC {
            noteMisplaced("gRPC", at: "HTTP", needing: "otlp_grpc", connection)
            return StreamReply(GRPCAnswer(.unimplemented, Self.notHTTP))
        }
        noteMisplaced("HTTP", at: "gRPC", needing: "otlp_http", connection)
        // A request that is not gRPC is answered in HTTP (gRPC over HTTP/2, "Responses").
        let text = ByteBuffer(string: "\(Self.notGRPC)\n")
        return StreamReply(
            code: .http(.unsupportedMediaType),
            head: [":status": "415", "content-type": "text/plain", "content-length": String(text.readableBytes)],
            body: text
        )
    }

    /// What a client of HTTP/1.1 is told where only gRPC is spoken.
    static func refuseHTTP1(on connection: HTTP2Connection) -> HTTPError {
        connection.speakers.noteMisplaced("HTTP/1.1", at: "gRPC", needing: "otlp_http", connection)
        return HTTPError(.badRequest, notGRPC)
    }

    /// What is told where a PROXY header comes from an address that is no balancer's: it shows in logs and captures of the balancer.
    static func refuseProxyHeader(on connection: HTTP2Connection) -> HTTPError {
        let (context, client) = (connection.loop.context, connection.client.address)
        if context.notices.isNew("proxy_header", from: client.source) {
            context.logger.warning(
                "a client that is not in \"proxy_protocol\" sends a PROXY header; the receiver needs its address there, or it must send none",
                metadata: ["receiver": "\(context.name)", "client": "\(client)"]
            )
        }
        return HTTPError(.badRequest, "a PROXY header came from an address that is not in \"proxy_protocol\"")
    }

    /// Says once of each client that it does not speak what its port does.
    private func noteMisplaced(_ speech: String, at port: String, needing type: String, _ connection: HTTP2Connection) {
        let (context, client) = (connection.loop.context, connection.client.address)
        guard context.notices.isNew(type, from: client.source) else { return }
        context.logger.warning(
            "a client speaks \(speech) to a port that speaks \(port); it needs the port of an \(type) receiver",
            metadata: ["receiver": "\(context.name)", "client": "\(client)"]
        )
    }
}

extension HPACKHeaders {
    /// Whether the head is that of a call.
    fileprivate var isGRPC: Bool {
        first(name: ":method") == "POST" && GRPCHead.isGRPC(first(name: "content-type").map { $0[...] })
    }
}
