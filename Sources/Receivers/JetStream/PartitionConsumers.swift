import Basics
import NATS
import Settings
import Synchronization

/// The durable consumers of a stream, one for each partition: whom the server has pinned one to gets its messages, and nobody else.
final class PartitionConsumers: Sendable {
    /// The one priority group of each consumer.
    static let group = "millrace"
    /// How long a lease lasts without a pull.
    private static let lease = Duration.seconds(5)

    let stream: JetStream
    private let settings: JetStreamReceiverSettings
    private let durable: String
    private let layout = Mutex<(stream: RelayStream?, isDoubted: Bool)>((nil, false))

    init(stream: JetStream, settings: JetStreamReceiverSettings, durable: String) {
        self.stream = stream
        self.settings = settings
        self.durable = durable
    }

    /// From now on they are those of this stream, which somebody has just looked at.
    func use(_ stream: RelayStream) {
        layout.withLock { $0 = (stream, false) }
    }

    /// Servers that hold what lies in the stream.
    var replicas: Int { layout.withLock { $0.stream?.replicas ?? 1 } }

    /// The stream may be another one than it was: no consumer is made before somebody has looked at it again.
    func doubt() { layout.withLock { $0.isDoubted = true } }

    /// Whether that is to be looked at.
    var isDoubted: Bool { layout.withLock { $0.isDoubted } }

    /// How many messages of one partition may be under way.
    var pendingMax: Int { settings.maxAckPending }

    /// Where messages of a partition are asked for.
    func pullSubject(of partition: Int) -> String { "$JS.API.CONSUMER.MSG.NEXT.\(place(of: partition))" }

    private func place(of partition: Int) -> String { "\(settings.stream).\(durable)-\(partition)" }

    /// Creates a partition's consumer where it is not there; throws where one that is there does not fit.
    func ensure(_ partition: Int) async throws(JetStream.Failure) {
        guard let subject = layout.withLock({ $0.stream })?.subject(of: partition) else {
            throw .unavailable("the stream's layout is not known")
        }
        let name = "\(durable)-\(partition)"
        let wanted: JSON = [
            "durable_name": .text(name), "name": .text(name), "filter_subjects": .words([subject]),
            "ack_policy": "explicit", "ack_wait": .integer(Int(settings.ackWait.wholeNanoseconds)),
            "max_deliver": .integer(-1), "max_ack_pending": .integer(settings.maxAckPending),
            "priority_policy": "pinned_client", "priority_groups": .words([Self.group]),
            "priority_timeout": .integer(Int(Self.lease.wholeNanoseconds)),
        ]
        let made = try await stream.ask(
            "CONSUMER.CREATE.\(place(of: partition))",
            ["stream_name": .text(settings.stream), "config": wanted, "action": ""]
        )
        let filters = made["config"]?["filter_subjects"]?.elements?.compactMap(\.string) ?? []
        guard filters == [subject], made["config"]?["priority_policy"]?.string == "pinned_client" else {
            throw .unavailable("the consumer \(name) is another one's, or the server is older than 2.12")
        }
    }

    /// The consumers that there are, by partition.
    func all() async throws(JetStream.Failure) -> [Int: JetStreamConsumer] {
        var found: [Int: JetStreamConsumer] = [:]
        var seen = 0
        while true {
            let page = try await stream.ask("CONSUMER.LIST.\(settings.stream)", ["offset": .integer(seen)])
            let consumers = (page["consumers"]?.elements ?? []).map(JetStreamConsumer.init)
            for consumer in consumers where consumer.name.hasPrefix("\(durable)-") {
                guard let partition = Int(consumer.name.dropFirst(durable.count + 1)) else { continue }
                found[partition] = consumer
            }
            seen += consumers.count
            if consumers.isEmpty || seen >= page["total"]?.integer ?? 0 { return found }
        }
    }

    /// How many messages each subject of the stream has.
    func messages() async throws(JetStream.Failure) -> [(subject: String, partition: Int?, count: Int)] {
        let info = try await stream.ask("STREAM.INFO.\(settings.stream)", ["subjects_filter": ">"])
        let prefix = layout.withLock { $0.stream.map { "\($0.subject)." } } ?? ""
        return (info["state"]?["subjects"]?.members ?? []).map { subject in
            let number = Int(subject.name.dropFirst(prefix.count))
            let partition = number.flatMap { 0..<settings.partitions ~= $0 ? $0 : nil }
            let isOwn = partition.map { subject.name == "\(prefix)\($0)" } ?? false
            return (subject.name, isOwn ? partition : nil, subject.node.integer ?? 0)
        }
    }

    /// Ends the lease of a partition, so that the next who asks gets it.
    func unpin(_ partition: Int) async {
        let group: JSON = ["group": .text(Self.group)]
        _ = try? await stream.ask("CONSUMER.UNPIN.\(place(of: partition))", group, within: .seconds(2))
    }
}
