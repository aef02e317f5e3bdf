import Basics
import NATS
import Settings

/// Who serves a stream: each member writes a key that expires unless it is written again.
///
/// A bucket of JetStream's key-value store, in the servers' memory: what it says is advice. It is made when it is not there.
struct MemberBucket: Sendable {
    /// What a look at it found.
    enum Finding {
        case members(Set<String>)
        case unknown
    }

    /// How long a member counts as there after its last sign of life.
    private static let lifetime = Duration.seconds(5)
    private static let answerMax = Duration.seconds(2)

    /// The name of this member, of this process alone.
    let member: String
    private let stream: JetStream
    private let client: NATSClient
    private let bucket: String

    init(_ stream: JetStream, _ client: NATSClient, of name: String) {
        self.stream = stream
        self.client = client
        bucket = "millrace-\(name)"
        var generator = SystemRandomNumberGenerator()
        member = String(generator.next(), radix: 36)
    }

    private var key: String { "$KV.\(bucket).\(member)" }

    /// Writes its own key and reads everybody's.
    func look() async -> Finding {
        do throws(JetStream.Failure) {
            do throws(JetStream.Failure) {
                _ = try await stream.store(key, headers: [], [], within: Self.answerMax)
            } catch {
                try await make()
                _ = try await stream.store(key, headers: [], [], within: Self.answerMax)
            }
            let wanted: JSON = ["subjects_filter": .text("$KV.\(bucket).>")]
            let info = try await stream.ask("STREAM.INFO.KV_\(bucket)", wanted, within: Self.answerMax)
            let subjects = info["state"]?["subjects"]?.members?.map(\.name) ?? []
            return .members(Set(subjects.compactMap { $0.split(separator: ".").last.map(String.init) }))
        } catch {
            return .unknown
        }
    }

    /// Takes its own key away.
    func leave() async {
        let filter: JSON = ["filter": .text(key)]
        _ = try? await stream.ask("STREAM.PURGE.KV_\(bucket)", filter, within: Self.answerMax)
    }

    private func make() async throws(JetStream.Failure) {
        let lifetime = JSON.integer(Int(Self.lifetime.wholeNanoseconds))
        try await stream.create(
            "KV_\(bucket)",
            [
                "subjects": .words(["$KV.\(bucket).>"]), "max_msgs_per_subject": .integer(1), "max_age": lifetime,
                "duplicate_window": lifetime, "discard": "new", "allow_direct": true, "allow_rollup_hdrs": true,
                "deny_delete": true, "storage": "memory",
            ],
            within: Self.answerMax
        )
    }
}
