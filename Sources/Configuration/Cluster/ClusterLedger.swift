import Basics
import Exporters
package import Logging
import NATS
import Receivers
import Settings

/// Where telemetry is on its way over streams: what the servers say of each, and what those that store in it and take from it say
/// of themselves.
package struct ClusterLedger: Sendable {
    /// For answers of the servers, and of all members.
    private static let answerMax = Duration.seconds(2)
    private static let connectMax = Duration.seconds(5)

    let streams: [StreamLedger]

    /// Whether every stream could be asked about.
    package var isComplete: Bool { streams.allSatisfy { $0.trouble == nil } }

    /// Asks the servers that a pipeline file names, as its components do, with a connection for each stream.
    ///
    /// Nil where no component of the file has to do with a stream. Takes two seconds, in which members answer.
    package init?(_ file: PipelineFile, logger: Logger) async {
        let relays = file.relays
        guard !relays.isEmpty else { return nil }
        var streams: [StreamLedger] = []
        for relay in relays {
            let client = NATSClient(relay.nats, name: "\(Product.name) ledger", logger: logger)
            client.start()
            streams.append(await Self.look(at: relay, over: client))
            await client.close()
        }
        self.streams = streams
    }

    private static func look(at relay: Relay, over client: NATSClient) async -> StreamLedger {
        var ledger = StreamLedger(name: relay.stream, servers: relay.nats.servers.map(\.description))
        guard await client.connected(within: connectMax) else {
            ledger.trouble = client.trouble
            return ledger
        }
        async let members = StreamMembers.ask(relay.stream, over: client, within: answerMax)
        let stream = JetStream(client)
        do throws(JetStream.Failure) {
            ledger.state = StreamState(try await stream.ask("STREAM.INFO.\(relay.stream)", within: answerMax))
        } catch {
            ledger.trouble = "\(error)"
        }
        ledger.consumers = await consumers(of: relay.stream, stream)
        ledger.refused = await refused(beside: relay.stream, stream)
        ledger.take(await members)
        return ledger
    }

    /// Nil where that may not be asked.
    private static func consumers(of name: String, _ stream: JetStream) async -> ConsumerState? {
        var state = ConsumerState()
        var seen = 0
        while true {
            let page: JSONNode
            do throws(JetStream.Failure) {
                page = try await stream.ask("CONSUMER.LIST.\(name)", ["offset": .integer(seen)], within: answerMax)
            } catch {
                return nil
            }
            let consumers = page["consumers"]?.elements ?? []
            for consumer in consumers { state.add(consumer) }
            seen += consumers.count
            if consumers.isEmpty || seen >= page["total"]?.integer ?? 0 { return state }
        }
    }

    /// Messages that no gateway takes; nil where that may not be asked.
    private static func refused(beside name: String, _ stream: JetStream) async -> Int? {
        do throws(JetStream.Failure) {
            let info = try await stream.ask("STREAM.INFO.\(name)-refused", within: answerMax)
            return info["state"]?["messages"]?.integer
        } catch {
            return error.saysMissing ? 0 : nil
        }
    }
}

/// A stream that a pipeline file names, and how its servers are reached.
private struct Relay {
    let stream: String
    let nats: NATSSettings
}

extension PipelineFile {
    /// Each stream of some servers once.
    fileprivate var relays: [Relay] {
        let stored = exporters.compactMap { $0.settings.destination as? JetStreamSettings }
        let taken = receivers.compactMap { $0.settings as? JetStreamReceiverSettings }
        let all =
            stored.map { Relay(stream: $0.stream, nats: $0.nats) }
            + taken.map { Relay(stream: $0.stream, nats: $0.nats) }
        return all.enumerated().filter { index, relay in
            !all[..<index].contains { $0.stream == relay.stream && $0.nats.servers == relay.nats.servers }
        }.map(\.element)
    }
}
