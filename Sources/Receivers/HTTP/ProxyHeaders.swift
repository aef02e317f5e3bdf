import Basics
import Logging
import NIOCore
import Pipeline
import TLS

/// Load balancers that say whose connection each is (`proxy_protocol`).
///
/// Any thread.
final class ProxyHeaders: Sendable {
    private let balancers: [AddressRange]
    private let receiver: String
    private let failures: [ProxyHeaderParser.Failure: Counter]
    private let notices = ClientNotices()
    private let logger: Logger

    /// Nil where there are none.
    init?(_ balancers: [AddressRange], receiver: String, meters: Meters, logger: Logger) {
        guard !balancers.isEmpty else { return nil }
        self.balancers = balancers
        self.receiver = receiver
        self.logger = logger
        failures = Dictionary(
            uniqueKeysWithValues: ProxyHeaderParser.Failure.allCases.map { failure in
                let labels = ["receiver": receiver, "reason": failure.rawValue]
                return (failure, meters.counter("millrace_receiver_proxy_header_failures_total", labels))
            }
        )
    }

    /// What reads the header of a connection from that address; nil where it is no balancer's.
    func handler(for address: IPAddress?) -> ProxyHeaderHandler? {
        guard balancers.contains(where: { $0.contains(address) }) else { return nil }
        return ProxyHeaderHandler(balancer: address) { self.note($0, from: address) }
    }

    private func note(_ failure: ProxyHeaderParser.Failure, from address: IPAddress?) {
        failures[failure]?.add()
        guard notices.isNew(failure.rawValue, from: SourceAddress(address)) else { return }
        logger.warning(
            "a load balancer in \"proxy_protocol\" opens a connection without a PROXY header that can be read, which is closed",
            metadata: [
                "receiver": "\(receiver)", "reason": "\(failure.rawValue)",
                "balancer": "\(ClientAddress(ip: address))",
            ]
        )
    }
}

/// Stands first in the pipeline of a balancer's connection, takes the header off it, and says whose it is.
///
/// A `ClientAddress` goes on as an inbound event. What is no header ends the connection; whoever adds this bounds the time for it
/// by closing the channel.
final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private var parser = ProxyHeaderParser()
    private let balancer: IPAddress?
    private let onFailure: (ProxyHeaderParser.Failure) -> Void
    private var isOver = false

    /// - Parameters:
    ///   - balancer: Whose connection it is where the header names nobody; nil on a unix socket.
    ///   - onFailure: Told of a connection without a header, once.
    init(balancer: IPAddress?, onFailure: @escaping (ProxyHeaderParser.Failure) -> Void) {
        self.balancer = balancer
        self.onFailure = onFailure
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        var bytes = unwrapInboundIn(data)
        do throws(ProxyHeaderParser.Failure) {
            guard let header = try parser.take(bytes.readableBytesView) else { return }
            isOver = true
            let address: IPAddress? =
                switch header.source {
                case .balancer: balancer
                case .address(let address): address
                case .unix: nil
                }
            context.fireUserInboundEventTriggered(ClientAddress(ip: address))
            bytes.moveReaderIndex(forwardBy: header.used)
            if bytes.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(bytes)) }
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } catch {
            isOver = true
            onFailure(error)
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Nothing of a request has come before the header is whole.
        if isOver { context.fireChannelReadComplete() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        // Who closes without a byte has looked whether somebody listens.
        if !isOver, parser.hasBegun { onFailure(.truncated) }
        context.fireChannelInactive()
    }
}
