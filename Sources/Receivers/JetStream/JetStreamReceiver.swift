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
/// A bucket of members (`MemberBucket`) says which partitions each of them pulls; who gets the messages of one the servers decide, which
/// pin its consumer to one client. `start()`, then `prepareToStop(refusing:)` and `stop(within:)`.
final class JetStreamReceiver: Receiver {
    private struct State {
        var pullers: [Int: PartitionPuller] = [:]
        /// Those that give up their partition, which may come back to this process meanwhile.
        var leaving: [PartitionPuller] = []
        var task: Task<Void, Never>?
        var isStopping = false
        /// Why the stream cannot be used; nil while it can.
        var trouble: String? = "nobody has looked at the stream yet"
    }

    private enum Finding {
        case fits
        /// The servers did not say.
        case unknown(String)
        /// It is not there, or has another layout.
        case unfit(String)
    }

    /// Between two looks at the bucket, and two signs of life in it.
    private static let interval = Duration.seconds(1)
    /// Between two attempts to use a stream that is not there, or does not fit.
    private static let pause = Duration.seconds(2)
    /// How often those who wait for something look whether their time is over.
    private static let tick = Duration.milliseconds(250)
    /// Between two looks at the stream's layout while nothing speaks against it.
    private static let layoutInterval = Duration.seconds(60)
    private static let gauge = "millrace_receiver_partitions"

    private let settings: JetStreamReceiverSettings
    private let context: ReceiverContext
    private let client: NATSClient
    private let stream: JetStream
    private let consumers: PartitionConsumers
    private let desk: RelayDesk
    private let bucket: MemberBucket
    private let state = Mutex(State())
    private let throttle = Mutex(LogThrottle<Bool>(linesMax: 3, in: .seconds(60)))
    private let clock = MonotonicClock.system
    /// What it says of the gauge that a receiver of the same name may share with it while a reload goes on.
    private let served = Mutex<GaugeShare?>(nil)

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
        let share = GaugeShare { [weak self] in Double(self?.servedCount ?? 0) }
        served.withLock { $0 = share }
        context.meters.gauge(Self.gauge, labels, share: share)
        client.start()
        state.withLock { state in state.task = Task { await run() } }
    }

    private var labels: [String: String] { ["receiver": context.name] }

    /// Partitions that can be pulled.
    private var servedCount: Int {
        guard client.isConnected else { return 0 }
        return state.withLock { Array($0.pullers.values) }.count { $0.trouble == nil }
    }

    /// Why nothing is taken; nil while something can be.
    var trouble: String? {
        guard client.isConnected else { return client.trouble }
        let (trouble, pullers) = state.withLock { ($0.trouble, Array($0.pullers.values)) }
        let troubles = pullers.compactMap(\.trouble)
        return trouble ?? (troubles.count == pullers.count ? troubles.first : nil)
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
        if let share = served.withLock({ $0 }) { context.meters.withdraw(share, from: Self.gauge, labels) }
    }

    /// Until it is cancelled; then gives up everything.
    private func run() async {
        let ticks = Task { await tickOn() }
        while !Task.isCancelled {
            switch await look() {
            case .fits: await serve()
            case .unknown(let trouble), .unfit(let trouble): tell(trouble)
            }
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

    /// Looks for the stream, and whether it fits.
    private func look() async -> Finding {
        guard await client.connected(within: Self.pause) else { return .unknown(client.trouble) }
        do throws(JetStream.Failure) {
            let info = try await stream.ask("STREAM.INFO.\(settings.stream)")
            guard let layout = RelayStream(info) else {
                return .unfit("the stream \(settings.stream) is another one's: no exporter of Millrace has laid it out")
            }
            let wanted = RelayStream(name: settings.stream, subject: layout.subject, partitions: settings.partitions)
            if let mismatch = wanted.mismatch(with: info) { return .unfit(mismatch) }
            consumers.use(layout)
            desk.use(layout)
            return .fits
        } catch {
            return error.saysMissing ? .unfit("\(error)") : .unknown("\(error)")
        }
    }

    private func tell(_ trouble: String) {
        guard !Task.isCancelled else { return }
        state.withLock { $0.trouble = trouble }
        guard throttle.withLock({ $0.admit(true, saying: trouble, now: clock.now()) }) != nil else { return }
        context.logger.warning(
            "nothing is taken from the stream",
            metadata: ["receiver": "\(context.name)", "stream": "\(settings.stream)", "reason": "\(trouble)"]
        )
    }

    /// Serves what is its own among the members and what nobody else pulls, until it is cancelled or the stream does not fit any more.
    private func serve() async {
        var (connection, lookedAt) = (client.connections, clock.now())
        var strays = StrayPartitions(now: lookedAt)
        var own: Set<Int> = []
        while !Task.isCancelled {
            if consumers.isDoubted || client.connections != connection || lookedAt + Self.layoutInterval <= clock.now()
            {
                (connection, lookedAt) = (client.connections, clock.now())
                if case .unfit(let trouble) = await look() {
                    tell(trouble)
                    let all = state.withLock { Array($0.pullers.keys) }
                    Task { await giveUp(all) }
                    return
                }
            }
            let members = await bucket.look(replicas: consumers.replicas)
            switch members {
            case .members(let members): own = shared(among: members, before: own)
            case .unfit(let reason):
                desk.note(.members, reason)
                own = Set(0..<settings.partitions)
            case .unknown(let reason): if own.isEmpty { tell("it is not known who else serves it: \(reason)") }
            }
            await strays.look(besides: own, consumers, desk, now: clock.now())
            serve(own.union(strays.adopted))
            if members.isKnown { state.withLock { $0.trouble = nil } }
            try? await Task.sleep(for: Self.interval)
        }
    }

    /// The own partitions among those members.
    private func shared(among members: Set<String>, before earlier: Set<Int>) -> Set<Int> {
        let own = Rendezvous.partitions(of: bucket.member, among: members, count: settings.partitions)
        if own != earlier { note(own, of: members) }
        return own
    }

    /// Begins and gives up so that these are pulled, and no others.
    private func serve(_ wanted: Set<Int>) {
        let served = Set(state.withLock { $0.pullers.keys })
        let lost = Array(served.subtracting(wanted))
        if !lost.isEmpty { Task { await giveUp(lost) } }
        for partition in wanted.subtracting(served) { begin(partition) }
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
