import Basics
import NATS
import Settings

/// What there is of one stream and around it.
struct StreamLedger: Sendable {
    let name: String
    let servers: [String]
    /// Why the stream is not known.
    var trouble: String?
    var state: StreamState?
    /// Nil where the servers do not tell.
    var consumers: ConsumerState?
    /// Messages that no gateway takes; nil where the servers do not tell.
    var refused: Int?
    /// Who stores in it.
    private(set) var edges: [StreamMember] = []
    /// Who takes from it.
    private(set) var gateways: [StreamMember] = []

    /// Takes up the answers of members, each component once.
    mutating func take(_ answers: [JSONNode]) {
        let members = answers.compactMap { StreamMember($0) }.sorted { $0.order < $1.order }
        for member in members {
            let others = member.isGateway ? gateways : edges
            guard others.last?.order != member.order else { continue }
            if member.isGateway { gateways.append(member) } else { edges.append(member) }
        }
    }

    /// Partitions that are served by gateways that did not answer; nil where the servers do not tell.
    var unansweredPartitions: Int? {
        consumers.map { max(0, $0.served - Set(gateways.flatMap(\.partitions)).count) }
    }
}

/// A stream as its servers tell it.
struct StreamState: Sendable {
    let messages: Int
    let bytes: Int
    let partitions: Int?
    let replicas: Int
    /// Servers that have everything, the leader included.
    let current: Int
    /// Nil while there is none, and for a server by itself.
    let leader: String?

    /// Of an answer to `STREAM.INFO`.
    init(_ info: JSONNode) {
        messages = info["state"]?["messages"]?.integer ?? 0
        bytes = info["state"]?["bytes"]?.integer ?? 0
        partitions = info["config"]?["metadata"]?["millrace.partitions"]?.string.flatMap { Int($0) }
        replicas = info["config"]?["num_replicas"]?.integer ?? 1
        let followers = info["cluster"]?["replicas"]?.elements ?? []
        leader = info["cluster"]?["leader"]?.string
        current = 1 + followers.count { $0["current"]?.bool == true && $0["offline"]?.bool != true }
    }
}

/// The consumers of a stream, one for each partition, in sum.
struct ConsumerState: Sendable {
    /// Those that some gateway has a lease of, or pulls from.
    var served: Int { subjects.count }
    private var subjects: Set<String> = []
    /// Messages that nobody was given yet.
    private(set) var waiting = 0
    /// Messages at gateways that are not acknowledged.
    private(set) var underWay = 0

    /// Of an element of an answer to `CONSUMER.LIST`.
    mutating func add(_ node: JSONNode) {
        let consumer = JetStreamConsumer(node)
        if consumer.isServed { subjects.formUnion(consumer.subjects) }
        waiting += consumer.waiting
        underWay += consumer.underWay
    }
}

/// An exporter that stores in a stream, or a receiver that takes from it, with the ledger of its process.
struct StreamMember: Sendable {
    /// Host and administration endpoint of its process.
    let place: String
    let isGateway: Bool
    /// Those that a receiver serves.
    let partitions: [Int]
    /// How many items came to a receiver again, by what they are called.
    let redelivered: [String: Int]
    /// The rows of the ledger that have to do with it.
    let rows: [LedgerRow]
    /// Bytes of a ledger that the servers do not take, so that its rows are not known.
    let tooLarge: Int?
    /// What it answered.
    let answer: JSON
    /// Places it among others; the same for the same component of a process.
    let order: String

    /// Nil for the answer of something else.
    init?(_ answer: JSONNode) {
        tooLarge = answer["too_large"]?.integer
        guard let host = answer["host"]?.string, let process = answer["process"]?.integer,
            answer["ledger"] != nil || tooLarge != nil,
            let name = (answer["exporter"] ?? answer["receiver"])?.string
        else { return nil }
        place = "\(host) \(answer["admin"]?.string ?? "process \(process)")"
        isGateway = answer["receiver"] != nil
        partitions = answer["partitions"]?.elements?.compactMap(\.integer) ?? []
        redelivered = (answer["redelivered"]?.members ?? []).reduce(into: [:]) { $0[$1.name] = $1.node.integer ?? 0 }
        let read = answer["pipelines_of"]?[name]?.elements?.compactMap(\.string) ?? []
        let all = answer["ledger"].map { LedgerRow.rows(of: $0) } ?? []
        rows = isGateway ? all.filter { read.contains($0.pipeline) } : all.filter { $0.destination == name }
        self.answer = JSON(answer)
        // Containers may have the same host name, address and process number.
        order = "\(place) \(process) \(name) \(answer["started"]?.string ?? "")"
    }

    /// Items that it has accepted; each pipeline of a receiver accepts them all.
    func accepted(_ items: String) -> Int {
        let rows = rows.filter { $0.items == items }
        return isGateway ? rows.map(\.taken).max() ?? 0 : rows.reduce(0) { $0 + $1.accepted }
    }
}

/// What became of a pipeline's items of one signal at one destination.
struct LedgerRow: Sendable {
    let pipeline: String
    /// What the items are called, such as `log_records`.
    let items: String
    let destination: String
    /// What the pipeline has accepted.
    let taken: Int
    /// What the destination has been given of that to take.
    let accepted: Int
    let delivered: Int
    let queued: Int
    /// Seconds.
    let oldest: Double
    /// Everything else that is not zero.
    let others: [String]

    /// All rows of a ledger in the form of `/ledger`.
    static func rows(of ledger: JSONNode) -> [LedgerRow] {
        (ledger["pipelines"]?.members ?? []).flatMap { pipeline in
            let parts = [pipeline.node] + (pipeline.node["signals"]?.members?.map(\.node) ?? [])
            return parts.flatMap { rows(of: $0, in: pipeline.name) }
        }
    }

    private static func rows(of part: JSONNode, in pipeline: String) -> [LedgerRow] {
        let prefix = "accepted_"
        guard let taken = part.members?.first(where: { $0.name.hasPrefix(prefix) }) else { return [] }
        return (part["destinations"]?.members ?? []).map { destination in
            let count = { (name: String) in destination.node[name]?.integer ?? 0 }
            let words = Outcome.allCases.map(\.word).filter { $0 != Outcome.delivered.word } + ["joined", "created"]
            return LedgerRow(
                pipeline: pipeline,
                items: String(taken.name.dropFirst(prefix.count)),
                destination: destination.name,
                taken: taken.node.integer ?? 0,
                accepted: count("accepted"),
                delivered: count("delivered"),
                queued: count("queued"),
                oldest: destination.node["oldest_queued_seconds"]?.double ?? 0,
                others: words.filter { count($0) > 0 }.map { "\($0) \(count($0))" }
            )
        }
    }
}
