import Basics
import NATS
import Settings
import Synchronization

/// Pulls the messages of one partition, for as long as it is served here.
///
/// One pull is open at a time, for a second at most. Any thread.
final class PartitionPuller: Sendable {
    private struct State {
        /// The lease that messages come under; nil while there is none.
        var pin: String?
        /// Messages whose answers the server has not confirmed yet.
        var pending = 0
        /// What the open pull may still bring; nil without one.
        var open: Int?
        /// Whether the open pull brought something.
        var hasBrought = false
        /// Whether the next message is larger than what a pull may bring.
        var isLargeNext = false
        /// When the open pull is over whatever comes.
        var deadline = Duration.zero
        /// The connection that it went by.
        var connection: UInt64 = 0
        /// Whether the consumer may be gone.
        var needsConsumer = true
        /// Why it cannot be pulled; nil where it can, as far as is known.
        var trouble: String? = "its consumer is not known yet"
        var isLeaving = false
        var isOver = false
    }

    private static let messagesMax = 64
    private static let expiry = Duration.seconds(1)
    /// Of these at most, whatever the consumer allows.
    private static let pendingMax = 256

    /// Rings when there may be something to do.
    let bell = Doorbell()
    let partition: Int
    private let consumers: PartitionConsumers
    private let client: NATSClient
    private let desk: RelayDesk
    private let inbox: String
    /// Among how many partitions memory is shared.
    private let shares: Int
    private let clock = MonotonicClock.system
    private let state = Mutex(State())
    private let hasEnded = Doorbell()

    init(_ partition: Int, of consumers: PartitionConsumers, _ client: NATSClient, _ desk: RelayDesk, shares: Int) {
        self.partition = partition
        self.consumers = consumers
        self.client = client
        self.desk = desk
        self.shares = shares
        inbox = client.makeInbox()
    }

    /// Until it has given up its partition.
    func run() async {
        let subscription = client.subscribe(inbox) { [weak self] message in self?.take(message) }
        while !isDone {
            let (needsConsumer, isIdle) = state.withLock { ($0.needsConsumer, $0.open == nil && !$0.isLeaving) }
            if !needsConsumer {
                pull()
            } else if isIdle, !consumers.isDoubted {
                await ensureConsumer()
            }
            await bell.wait()
        }
        client.unsubscribe(subscription)
        let isPinned = state.withLock { state in
            state.isOver = true
            return state.pin != nil
        }
        if isPinned { await consumers.unpin(partition) }
        hasEnded.ring()
    }

    /// Ends pulling, and the lease once everything is answered and confirmed; returns then.
    func giveUp() async {
        state.withLock { $0.isLeaving = true }
        bell.ring()
        await hasEnded.wait()
    }

    /// Why the partition cannot be pulled; nil where it can.
    var trouble: String? { state.withLock { $0.trouble } }

    /// Whether it leaves and nothing is under way.
    private var isDone: Bool {
        let now = clock.now()
        return state.withLock { state in
            Self.closeLate(&state, now, client.connections)
            return state.isLeaving && state.open == nil && state.pending == 0
        }
    }

    private func ensureConsumer() async {
        guard client.isConnected else { return }
        do throws(JetStream.Failure) {
            try await consumers.ensure(partition)
            state.withLock { state in (state.needsConsumer, state.trouble) = (false, nil) }
            bell.ring()
        } catch {
            consumers.doubt()
            state.withLock { $0.trouble = "\(error)" }
            desk.note(.consumer, "\(error)", of: partition)
            try? await clock.sleep(Self.expiry)
        }
    }

    /// Forgets an open pull that nothing comes of any more.
    private static func closeLate(_ state: inout State, _ now: Duration, _ connection: UInt64) {
        if state.open != nil, state.deadline <= now || state.connection != connection { state.open = nil }
    }

    /// Opens a pull, where none is open and there is room for what comes.
    private func pull() {
        guard client.isConnected, desk.hasRoom else { return }
        let (now, connection) = (clock.now(), client.connections)
        let request = state.withLock { state -> JSON? in
            Self.closeLate(&state, now, connection)
            let room = min(Self.pendingMax, consumers.pendingMax) - state.pending
            guard state.open == nil, !state.isLeaving, room > 0 else { return nil }
            let batch = state.isLargeNext ? 1 : min(Self.messagesMax, room)
            let bytes = state.isLargeNext ? desk.messageMax : desk.pullBytes(for: shares)
            (state.open, state.deadline, state.connection) = (batch, now + Self.expiry * 2, connection)
            (state.hasBrought, state.isLargeNext) = (false, false)
            let request: JSON = [
                "batch": .integer(batch), "max_bytes": .integer(bytes),
                "expires": .integer(Int(Self.expiry.wholeNanoseconds)), "group": .text(PartitionConsumers.group),
            ]
            return state.pin.map { request.adding(["id": .text($0)]) } ?? request
        }
        guard let request else { return }
        client.publish(consumers.pullSubject(of: partition), reply: inbox, Array(request.lineText.utf8))
    }

    /// On the client's thread.
    private func take(_ message: NATSMessage) {
        if let status = message.status, message.reply == nil { return end(status) }
        guard let delivery = JetStreamDelivery(message) else { return }
        let isOver = state.withLock { state in
            state.pin = message.lastHeader(RelayHeader.pin) ?? state.pin
            state.hasBrought = true
            if let open = state.open { state.open = open > 1 ? open - 1 : nil }
            if !state.isOver { state.pending += 1 }
            return state.isOver
        }
        if isOver { return }
        bell.ring()
        desk.take(message, delivery, of: partition) { [weak self] in
            self?.state.withLock { $0.pending -= 1 }
            self?.bell.ring()
        }
    }

    /// The server ends the open pull, or says that it has no such lease.
    private func end(_ status: NATSStatus) {
        // 100 says that the connection lives.
        guard status.code != 100 else { return }
        let isTrouble = state.withLock { state in
            switch status.code {
            case 404, 408: state.open = nil
            // It has brought as many bytes as it may.
            case 409 where status.text.contains("Batch Completed"): state.open = nil
            case 423: (state.pin, state.open) = (nil, nil)
            case 409 where status.text.contains("Exceed"):
                state.open = nil
                state.isLargeNext = !state.hasBrought
            // The consumer is gone, or its leader: the pull stays open until its time is over, so that nobody asks in a circle.
            default:
                (state.needsConsumer, state.trouble) = (true, "\(status.code) \(status.text)")
                return true
            }
            return false
        }
        if isTrouble {
            consumers.doubt()
            desk.note(.consumer, "\(status.code) \(status.text)", of: partition)
        }
        bell.ring()
    }
}
