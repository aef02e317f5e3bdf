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
        /// It was made by somebody else, in another way, and cannot be changed, or the servers refuse what is written; why.
        case unfit(String)
        /// The servers do not say for now; why.
        case unknown(String)

        var isKnown: Bool { if case .unknown = self { false } else { true } }
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

    /// Writes its own key and reads everybody's; a bucket that is not there is made, on so many servers.
    func look(replicas: Int) async -> Finding {
        do throws(JetStream.Failure) {
            do throws(JetStream.Failure) {
                _ = try await stream.store(key, headers: [], [], within: Self.answerMax)
            } catch {
                try await make(replicas)
                _ = try await stream.store(key, headers: [], [], within: Self.answerMax)
            }
            let wanted: JSON = ["subjects_filter": .text("$KV.\(bucket).>")]
            let info = try await stream.ask("STREAM.INFO.KV_\(bucket)", wanted, within: Self.answerMax)
            if let trouble = await mend(info["config"], replicas) { return .unfit(trouble) }
            let subjects = info["state"]?["subjects"]?.members?.map(\.name) ?? []
            return .members(Set(subjects.compactMap { $0.split(separator: ".").last.map(String.init) }))
        } catch {
            // A server that has no leader or no room for now says so with 503, and one of a full bucket as well.
            guard case .refused(let refusal) = error, refusal.code < 500 || refusal.number == JetStream.full else {
                return .unknown("KV_\(bucket): \(error)")
            }
            return .unfit("KV_\(bucket): \(error)")
        }
    }

    /// Takes its own key away.
    func leave() async {
        let filter: JSON = ["filter": .text(key)]
        _ = try? await stream.ask("STREAM.PURGE.KV_\(bucket)", filter, within: Self.answerMax)
    }

    private func make(_ replicas: Int) async throws(JetStream.Failure) {
        let rest: JSON = [
            "subjects": .words(["$KV.\(bucket).>"]), "discard": "new", "allow_direct": true, "allow_rollup_hdrs": true,
            "deny_delete": true, "storage": "memory",
        ]
        let whole = JSON.object(rest.members + Self.expiry)
        try await stream.create("KV_\(bucket)", whole, replicas: replicas, within: Self.answerMax)
    }

    /// What lets a member's key expire.
    private static var expiry: [JSON.Member] {
        let lifetime = JSON.integer(Int(lifetime.wholeNanoseconds))
        return [
            JSON.Member("max_age", lifetime), JSON.Member("duplicate_window", lifetime),
            JSON.Member("max_msgs_per_subject", .integer(1)),
        ]
    }

    /// Changes a bucket whose keys would not expire, or that fewer servers hold; nil where nothing is wrong any more, or no harm.
    private func mend(_ config: JSONNode?, _ replicas: Int) async -> String? {
        let lifetime = Int(Self.lifetime.wholeNanoseconds)
        let (age, count) = (config?["max_age"]?.integer ?? 0, config?["max_msgs_per_subject"]?.integer ?? 0)
        let expires = 1...lifetime ~= age && count == 1
        guard let config, !expires || config["num_replicas"]?.integer ?? 1 < replicas else { return nil }
        let wanted = Self.expiry + [JSON.Member("num_replicas", .integer(replicas))]
        let names = Set(wanted.map(\.name))
        let rest = JSON(config).members.filter { !names.contains($0.name) }
        do throws(JetStream.Failure) {
            _ = try await stream.ask("STREAM.UPDATE.KV_\(bucket)", .object(rest + wanted), within: Self.answerMax)
            return nil
        } catch {
            return expires ? nil : "KV_\(bucket) has max_age \(age) and max_msgs_per_subject \(count): \(error)"
        }
    }
}

extension JSON {
    /// Those of an object; none of anything else.
    fileprivate var members: [Member] {
        guard case .object(let members) = self else { return [] }
        return members
    }
}
