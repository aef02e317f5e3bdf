package import Basics
package import Settings

/// How telemetry lies in a stream: exporters write it so, and receivers look for that.
///
/// A work queue of one subject for each partition, `SUBJECT.0` and so on; all spans and log records of a trace are in one partition,
/// and so is everything of a resource that belongs to no trace. A message is an export request of one signal in protobuf; what its
/// headers say is in `RelayHeader`.
package struct RelayStream: Sendable, Equatable {
    /// The stream.
    package let name: String
    /// What its subjects begin with.
    package let subject: String
    /// How many subjects there are.
    package let partitions: Int
    /// Servers that hold each message of one that is there, and of the streams beside it.
    package private(set) var replicas = 1

    package init(name: String, subject: String, partitions: Int) {
        self.name = name
        self.subject = subject
        self.partitions = partitions
    }

    /// How much a stream holds, chosen when it is created.
    package struct Limits: Sendable {
        /// Servers that hold each message.
        package var replicas = 3
        /// Nil for as much as the servers have room for.
        package var maxBytes: ByteCount?
        /// Nil for messages that never expire.
        package var maxAge: Duration?

        package init() {}
    }

    /// How long a message's id is known, so that a second one of it is not stored.
    package static let duplicateWindow = Duration.seconds(120)

    private static let subjectKey = "millrace.subject"
    private static let partitionsKey = "millrace.partitions"

    /// The subject of a partition.
    package func subject(of partition: Int) -> String { "\(subject).\(partition)" }

    /// The partition of a trace: FNV-1a, 32 bits, of its id in 32 lower-case hexadecimal digits, modulo the number of partitions.
    package func partition(high: UInt64, low: UInt64) -> Int {
        var hash = Self.basis
        for word in [high, low] {
            for shift in stride(from: UInt64(60), through: 0, by: -4) {
                let digit = UInt8(truncatingIfNeeded: word >> shift) & 15
                Self.add(digit < 10 ? 0x30 + digit : 0x57 + digit, to: &hash)
            }
        }
        return Int(hash % UInt32(partitions))
    }

    /// The partition of what belongs to no trace: FNV-1a, 32 bits, of its resource in wire form, modulo the number of partitions.
    package func partition(ofResource bytes: ArraySlice<UInt8>) -> Int {
        var hash = Self.basis
        for byte in bytes { Self.add(byte, to: &hash) }
        return Int(hash % UInt32(partitions))
    }

    private static let basis: UInt32 = 0x811C_9DC5

    private static func add(_ byte: UInt8, to hash: inout UInt32) {
        hash = (hash ^ UInt32(byte)) &* 0x0100_0193
    }

    /// What is asked for where the stream is not there.
    package func configuration(_ limits: Limits) -> JSON {
        [
            "name": .text(name), "subjects": .words(["\(subject).*"]), "retention": "workqueue", "discard": "new",
            "storage": "file", "num_replicas": .integer(limits.replicas),
            "max_bytes": .integer(limits.maxBytes?.bytes ?? -1),
            "max_age": .integer(Int(limits.maxAge?.wholeNanoseconds ?? 0)),
            "duplicate_window": .integer(Int(Self.duplicateWindow.wholeNanoseconds)),
            "description": .text("Millrace: telemetry in \(partitions) partitions by trace id, \(subject).N"),
            "metadata": [Self.partitionsKey: .text("\(partitions)"), Self.subjectKey: .text(subject)],
        ]
    }

    /// The layout of a stream that is there, by what the API says of it; nil for one that Millrace did not lay out.
    package init?(_ info: JSONNode) {
        guard let config = info["config"], let name = config["name"]?.string,
            let subject = config["metadata"]?[Self.subjectKey]?.string,
            let partitions = config["metadata"]?[Self.partitionsKey]?.string.flatMap({ Int($0) }), partitions > 0
        else { return nil }
        self.init(name: name, subject: subject, partitions: partitions)
        replicas = max(1, config["num_replicas"]?.integer ?? 1)
    }

    /// In what a stream that is there differs so that it cannot be used; nil where it fits.
    package func mismatch(with info: JSONNode, replicas: Int = 1) -> String? {
        guard let found = RelayStream(info), let config = info["config"] else {
            return "the stream \(name) is another one's: its metadata does not name \(Self.partitionsKey)"
        }
        var differences: [String] = []
        func compare(_ setting: String, _ found: String, _ wanted: String) {
            if found != wanted { differences.append("\(setting) is \(found), not \(wanted)") }
        }
        compare("partitions", "\(found.partitions)", "\(partitions)")
        compare("subject", found.subject, subject)
        compare(
            "subjects",
            (config["subjects"]?.elements ?? []).compactMap(\.string).joined(separator: ", "),
            "\(subject).*"
        )
        compare("retention", config["retention"]?.string ?? "", "workqueue")
        compare("discard", config["discard"]?.string ?? "", "new")
        let copies = config["num_replicas"]?.integer ?? 1
        if copies < replicas { differences.append("replicas is \(copies), not \(replicas)") }
        guard !differences.isEmpty else { return nil }
        return "the stream \(name) has another layout: \(differences.joined(separator: "; "))"
    }
}

/// What a message in a stream says about itself.
package enum RelayHeader {
    /// The name of the signal.
    package static let signal = "Millrace-Signal"
    /// Where a gateway before the stream sends its items: `name:` or `id:` and an experiment, percent-encoded.
    package static let route = "Millrace-Route"
    /// Who sent them, percent-encoded.
    package static let identity = "Millrace-Identity"
    /// How many there are.
    package static let items = "Millrace-Items"
    /// Stands before the name of each header of a client's that is kept with them.
    package static let kept = "Millrace-Header-"
    /// JetStream's: a second message of one id is not stored.
    package static let messageID = "Nats-Msg-Id"
    /// JetStream's: the lease that a message comes under.
    package static let pin = "Nats-Pin-Id"
    /// Why a message was refused.
    package static let reason = "Millrace-Reason"
    /// How many bytes a refused message had, of which only the first fit.
    package static let cut = "Millrace-Cut"
    /// What a message leaves free of what the servers take, for the reason if it is refused.
    package static let room = 2048
}
