import Basics
import Logging
import NATS
import NIOCore
import OTLP
import Pipeline
import Settings
import Synchronization

/// The `jetstream` receiver: pulls the partitions of a stream that are its own, and acknowledges what the intake has taken.
///
/// Which partitions are whose is agreed on by a bucket of members (`MemberBucket`), as advice only: a partition is served by whom
/// the server has pinned its consumer to, and by nobody else. `start()`, then `prepareToStop(refusing:)` and `stop(within:)`.
final class JetStreamReceiver: Receiver {
    private struct State {
        var pullers: [Int: PartitionPuller] = [:]
        /// Those that give up their partition, which may come back to this process meanwhile.
        var leaving: [PartitionPuller] = []
        var task: Task<Void, Never>?
        var isStopping = false
    }

    /// Between two looks at the bucket, and two signs of life in it.
    private static let interval = Duration.seconds(1)
    /// Between two attempts to use a stream that is not there, or does not fit.
    private static let pause = Duration.seconds(2)
    /// How often those who wait for something look whether their time is over.
    private static let tick = Duration.milliseconds(250)

    private let settings: JetStreamReceiverSettings
    private let context: ReceiverContext
    private let client: NATSClient
    private let stream: JetStream
    private let consumers: PartitionConsumers
    private let desk: RelayDesk
    private let bucket: MemberBucket
    private let state = Mutex(State())
    private let throttle = Mutex(LogThrottle<Bool>(linesMax: 1, in: .seconds(60)))

    init(_ settings: JetStreamReceiverSettings, in context: ReceiverContext) {
        self.settings = settings
        self.context = context
        client = NATSClient(settings.nats, name: "\(Product.name) receiver \(context.name)", logger: context.logger)
        stream = JetStream(client)
        let durable = settings.durable ?? context.pipeline.replacing(".", with: "_")
        consumers = PartitionConsumers(stream: stream, settings: settings, durable: durable)
        desk = RelayDesk(settings, client, in: context)
        bucket = MemberBucket(stream, client, of: "\(settings.stream)-\(durable)")
        StreamMembers.answer(settings.stream, over: client) { [weak self, report = context.report] in
            report.json.adding(self?.ownReport ?? [:])
        }
    }

    /// What it serves, and what came to it again.
    private var ownReport: JSON {
        let partitions = state.withLock { $0.pullers.keys.sorted() }
        return [
            "receiver": .text(context.name), "partitions": .array(partitions.map { .integer($0) }),
            "redelivered": desk.redeliveredItems,
        ]
    }

    /// Begins to connect; a server that is away is waited for.
    func start() async {
        context.meters.gauge("millrace_receiver_partitions", ["receiver": context.name]) { [weak self] in
            Double(self?.state.withLock { $0.pullers.count } ?? 0)
        }
        client.start()
        state.withLock { state in state.task = Task { await run() } }
    }

    /// Gives up its partitions, which others serve from then on.
    ///
    /// - Parameter refusing: Returns once all that was pulled is answered.
    func prepareToStop(refusing: Bool) async {
        let isFirst = state.withLock { state in
            defer { state.isStopping = true }
            return !state.isStopping
        }
        if isFirst { state.withLock { $0.task }?.cancel() }
        if refusing { await state.withLock { $0.task }?.wait(atMost: .seconds(1)) }
    }

    /// Acknowledges what is taken by then, and closes.
    func stop(within limit: Duration) async {
        await prepareToStop(refusing: false)
        await state.withLock { $0.task }?.wait(atMost: limit)
        desk.close()
        await client.close()
    }

    /// Until it is cancelled; then gives up everything.
    private func run() async {
        let ticks = Task { await tickOn() }
        while !Task.isCancelled {
            if await isUsable() { await serve() }
            try? await Task.sleep(for: Self.pause)
        }
        // A task that is cancelled asks nobody anything.
        await Task { await giveUpAll() }.value
        ticks.cancel()
    }

    private func giveUpAll() async {
        // The others begin to wait for the partitions while they are given up.
        await bucket.leave()
        await giveUp(state.withLock { Array($0.pullers.keys) })
        while case let leaving = state.withLock({ $0.leaving }), !leaving.isEmpty {
            try? await Task.sleep(for: Self.tick)
        }
    }

    /// Rings all bells, so that nobody waits for longer than it wants.
    private func tickOn() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.tick)
            desk.keepAlive()
            for puller in state.withLock({ Array($0.pullers.values) + $0.leaving }) { puller.bell.ring() }
        }
    }

    /// Looks for the stream; false, and told, where it is not there or does not fit.
    private func isUsable() async -> Bool {
        guard await client.connected(within: Self.pause) else { return false }
        var trouble: String
        do throws(JetStream.Failure) {
            let info = try await stream.ask("STREAM.INFO.\(settings.stream)")
            guard let layout = RelayStream(info) else {
                trouble = "the stream \(settings.stream) is another one's: no exporter of Millrace has laid it out"
                return warn(trouble)
            }
            let wanted = RelayStream(name: settings.stream, subject: layout.subject, partitions: settings.partitions)
            guard let mismatch = wanted.mismatch(with: info) else {
                consumers.use(layout)
                desk.use(layout)
                return true
            }
            trouble = mismatch
        } catch {
            trouble = "\(error)"
        }
        return warn(trouble)
    }

    private func warn(_ trouble: String) -> Bool {
        let now = MonotonicClock.system.now()
        if throttle.withLock({ $0.admit(true, saying: trouble, now: now) }) != nil {
            context.logger.warning(
                "nothing is taken from the stream",
                metadata: ["receiver": "\(context.name)", "stream": "\(settings.stream)", "reason": "\(trouble)"]
            )
        }
        return false
    }

    /// Serves what is its own among the members, until it is cancelled or the stream is gone.
    private func serve() async {
        while !Task.isCancelled {
            switch await bucket.look() {
            case .members(let members):
                let own = Rendezvous.partitions(of: bucket.member, among: members, count: settings.partitions)
                let served = Set(state.withLock { $0.pullers.keys })
                if served != own { note(own, of: members) }
                let lost = Array(served.subtracting(own))
                if !lost.isEmpty { Task { await giveUp(lost) } }
                for partition in own.subtracting(served) { begin(partition) }
            case .unknown: break
            }
            try? await Task.sleep(for: Self.interval)
        }
    }

    private func note(_ own: Set<Int>, of members: Set<String>) {
        let list = own.sorted().map(String.init).joined(separator: " ")
        context.logger.info(
            "partitions are shared out",
            metadata: ["receiver": "\(context.name)", "members": "\(max(1, members.count))", "own": "\(list)"]
        )
    }

    private func begin(_ partition: Int) {
        let puller = PartitionPuller(partition, of: consumers, client, desk, shares: settings.partitions)
        state.withLock { $0.pullers[partition] = puller }
        // Ends by `giveUp` alone, so that nothing that was pulled is dropped.
        Task { await puller.run() }
    }

    /// Ends pulling of these partitions, and lets others have them once all that was pulled is answered.
    private func giveUp(_ partitions: [Int]) async {
        let pullers = state.withLock { state in
            let pullers = partitions.compactMap { state.pullers.removeValue(forKey: $0) }
            state.leaving += pullers
            return pullers
        }
        await withDiscardingTaskGroup { group in
            for puller in pullers { group.addTask { await puller.giveUp() } }
        }
        state.withLock { state in state.leaving.removeAll { puller in pullers.contains { $0 === puller } } }
    }
}
