import Basics
import Glibc
import NIOCore
import NIOPosix

/// One socket that a receiver listens on.
///
/// Any thread.
struct Listener: Sendable {
    /// Where it listens, with the port that the system chose.
    let address: ListenAddress
    private let channel: any Channel
    private let eventLoops: any EventLoopGroup
    /// Whether it is the service manager's, who keeps it open.
    private let isGiven: Bool

    /// Binds an address of its own.
    init(
        binding address: ListenAddress,
        _ bootstrap: ServerBootstrap,
        on group: any EventLoopGroup
    ) async throws(ListenError) {
        channel = try await address.bind(bootstrap)
        self.address = address.bound(to: channel.localAddress)
        eventLoops = group
        isGiven = false
    }

    /// Accepts on a socket of the service manager.
    init(_ socket: GivenSocket, _ bootstrap: ServerBootstrap, on group: any EventLoopGroup) async throws(ListenError) {
        do {
            channel = try await bootstrap.withBoundSocket(socket.descriptor).get()
        } catch {
            throw ListenError(socket.address, error)
        }
        // The bootstrap shortened it.
        socket.lengthenQueue()
        address = socket.address
        eventLoops = group
        isGiven = true
    }

    /// How often more may have come before the socket is closed all the same.
    private static let roundsMax = 500

    /// Closes the socket: after everybody who waits in its queue was accepted, or, where the next process gets the socket,
    /// with the queue left to that one.
    ///
    /// Whoever was accepted has a connection with its handlers when it returns.
    func close() async {
        for _ in 0..<Self.roundsMax where !isGiven {
            await settle()
            guard await isQueueEmpty() else { continue }
            await pause(true)
            await settle()
            if await closeIfQueueEmpty() { break }
            await pause(false)
        }
        await pause(true)
        await settle()
        // It fails only where the channel is closed already.
        try? await channel.close()
        if !isGiven { address.removeSocketFile() }
    }

    /// Waits until the connections accepted so far have their handlers: a server that closes drops those that have not.
    private func settle() async {
        // A new connection has a task in its own event loop's queue, and then one in the server's.
        for eventLoop in eventLoops.makeIterator() { try? await eventLoop.submit {}.get() }
        try? await channel.eventLoop.submit {}.get()
    }

    private func pause(_ isPaused: Bool) async {
        try? await channel.setOption(.autoRead, value: !isPaused).get()
    }

    private func isQueueEmpty() async -> Bool {
        let isEmpty = try? await channel.eventLoop.submit { channel.hasEmptyQueue }.get()
        return isEmpty ?? true
    }

    /// Both in one go of the event loop, so that nobody comes in between.
    private func closeIfQueueEmpty() async -> Bool {
        let isClosed = try? await channel.eventLoop.submit {
            guard channel.hasEmptyQueue else { return false }
            channel.close(promise: nil)
            return true
        }.get()
        return isClosed ?? true
    }
}

extension Channel {
    /// Whether no connection waits to be accepted.
    ///
    /// On its event loop.
    fileprivate var hasEmptyQueue: Bool {
        let isReadable = try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            var descriptor = pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            return poll(&descriptor, 1, 0) > 0 && descriptor.revents & Int16(POLLIN) != 0
        }
        return isReadable != true
    }

    /// Whether bytes came that are not read yet.
    ///
    /// On its event loop.
    var hasUnreadBytes: Bool {
        let isReadable = try? pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            var byte: UInt8 = 0
            return recv($0, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
        }
        return isReadable == true
    }
}
