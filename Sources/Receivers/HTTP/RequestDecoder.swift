import NIOCore
import NIOHTTP1

/// Makes the parser of a connection.
enum RequestDecoder {
    typealias Handler = ByteToMessageHandler<HTTPRequestDecoder>

    /// The longest head, in bytes of names and values; a longer one is answered 431.
    static let headBytesMax = 16_384
    private static let headersMax = 128

    /// A parser that passes what it does not parse on to the next one.
    static func make() -> Handler {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = headBytesMax
        limits.maxHeaderListSize = headBytesMax
        limits.maxHeaderFieldCount = headersMax
        return ByteToMessageHandler(
            HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits)
        )
    }
}

extension HTTPError {
    /// The head of a request is longer than any may be.
    static let headTooLong = HTTPError(
        .headersTooLarge,
        "the request's head is longer than \(RequestDecoder.headBytesMax) bytes"
    )
}

extension HTTPRequestHead {
    /// Whether the parser may take what follows this request for another protocol, and then keeps it unread.
    ///
    /// It stops where `Connection` names the upgrade; what it reads as that name is a part of this.
    var mayStopParser: Bool {
        guard method != .CONNECT else { return true }
        guard headers.contains(name: "upgrade") else { return false }
        return headers["connection"].contains { $0.lowercased().contains("upgrade") }
    }
}
