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
    private let layout = Mutex<RelayStream?>(nil)

    init(stream: JetStream, settings: JetStreamReceiverSettings, durable: String) {
        self.stream = stream
        self.settings = settings
        self.durable = durable
    }

    /// From now on they are those of this stream.
    func use(_ layout: RelayStream) {
        self.layout.withLock { $0 = layout }
    }

    /// How many messages of one partition may be under way.
    var pendingMax: Int { settings.maxAckPending }

    /// Where messages of a partition are asked for.
    func pullSubject(of partition: Int) -> String { "$JS.API.CONSUMER.MSG.NEXT.\(place(of: partition))" }

    private func place(of partition: Int) -> String { "\(settings.stream).\(durable)-\(partition)" }

    /// Creates a partition's consumer where it is not there; throws where one that is there does not fit.
    func ensure(_ partition: Int) async throws(JetStream.Failure) {
        guard let subject = layout.withLock({ $0 })?.subject(of: partition) else {
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

    /// Ends the lease of a partition, so that the next who asks gets it.
    func unpin(_ partition: Int) async {
        let group: JSON = ["group": .text(Self.group)]
        _ = try? await stream.ask("CONSUMER.UNPIN.\(place(of: partition))", group, within: .seconds(2))
    }
}
