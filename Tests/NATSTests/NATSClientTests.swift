import Basics
import Logging
import NIOCore
import NIOPosix
import Synchronization
import TestKit
import Testing

@testable import NATS

@Suite struct NATSClientTests {
    @Test(.timeLimit(.minutes(5)))
    func `a client whose server never greets is closed at once`() async throws {
        let socket = ListeningSocket()
        // Only `close` ends a connection that opens: the server has an hour for it.
        let client = NATSClient(
            settings("\(socket.address)"),
            name: "test",
            logger: Logger(label: "test"),
            openingMax: .seconds(3600)
        )
        client.start()
        #expect(await until { client.state.withLock { !$0.opening.isEmpty } })
        await client.close()
        #expect(await client.connected(within: .seconds(60)) == false)
        #expect(await client.request("a", within: .seconds(60)) == .failure(.disconnected("the client is closed")))
    }

    @Test func `a client that is closed leaves nobody waiting, whatever is under way`() async throws {
        let server = try await QuietServer()
        for round in 0..<60 {
            let client = NATSClient(settings(server.address), name: "test", logger: Logger(label: "test"))
            client.start()
            // In turn: while it opens, and once it is open.
            if round % 2 == 0 { #expect(await client.connected(within: .seconds(60))) }
            let failures = await withTaskGroup { group in
                for number in 0..<16 {
                    group.addTask {
                        if number % 2 == 0 { _ = await client.connected(within: .seconds(60)) }
                        // More than a connection takes at once.
                        let payload = Array(repeating: 0 as UInt8, count: 300_000)
                        return await client.request("a", payload, within: .seconds(60))
                    }
                }
                group.addTask {
                    await Task.yield()
                    await client.close()
                    return .failure(.cancelled)
                }
                return await group.reduce(into: 0) { count, answer in
                    if case .failure = answer { count += 1 }
                }
            }
            #expect(failures == 17)
        }
        try await server.close()
    }

    private func settings(_ address: String) -> NATSSettings {
        var settings = NATSSettings()
        settings.servers = [NATSServer(text: address)].compactMap { $0 }
        return settings
    }
}

@Suite struct SendingRoomTests {
    @Test func `messages wait in order until there is room, and one that is larger than all of it goes alone`() async {
        let room = SendingRoom()
        let entered = Entered()
        #expect(await room.enter(200_000))
        await withDiscardingTaskGroup { group in
            for (index, bytes) in [1_000_000, 1, 2].enumerated() {
                group.addTask {
                    if await room.enter(bytes) { entered.list.withLock { $0.append(bytes) } }
                }
                #expect(await until { room.waiting == index + 1 })
            }
            #expect(entered.list.withLock { $0 } == [])
            room.leave(200_000)
            #expect(await until { entered.list.withLock { $0 } == [1_000_000] } && room.waiting == 2)
            room.leave(1_000_000)
            #expect(await until { entered.list.withLock { $0.sorted() } == [1, 2, 1_000_000] })
        }
    }

    @Test func `whoever gives up waiting is not let in, and keeps nobody out`() async {
        let room = SendingRoom()
        #expect(await room.enter(200_000))
        let large = Task { await room.enter(200_000) }
        #expect(await until { room.waiting == 1 })
        let small = Task { await room.enter(1) }
        #expect(await until { room.waiting == 2 })
        large.cancel()
        #expect(await large.value == false)
        #expect(await small.value)
        let late = Task { await room.enter(200_000) }
        #expect(await until { room.waiting == 1 })
        room.open()
        #expect(await late.value)
        #expect(await room.enter(1_000_000))
    }
}

private final class Entered: Sendable {
    let list = Mutex<[Int]>([])
}

/// Greets, answers the first ping, and then reads nothing more.
private struct QuietServer {
    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelActive(context: ChannelHandlerContext) {
            write("INFO {\"headers\":true,\"max_payload\":1048576}\r\n", context)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            guard String(buffer: buffer).hasSuffix("PING\r\n") else { return }
            write("PONG\r\n", context)
            context.channel.setOption(.autoRead, value: false).whenComplete { _ in }
        }

        private func write(_ text: String, _ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
        }
    }

    let address: String
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    init() async throws {
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Handler()) }
            }
            .bind(host: "127.0.0.1", port: 0)
            .get()
        address = "127.0.0.1:\(channel.localAddress?.port ?? 0)"
    }

    func close() async throws { try await group.shutdownGracefully() }
}
