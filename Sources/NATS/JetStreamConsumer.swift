package import Basics

/// A consumer as the API describes it, in an answer to `CONSUMER.LIST`.
package struct JetStreamConsumer: Sendable {
    package let name: String
    /// What it filters by; empty for everything.
    package let subjects: [String]
    /// How many pulls wait for messages.
    package let pulls: Int
    /// Messages that nobody was given yet.
    package let waiting: Int
    /// Messages that somebody has and has not acknowledged.
    package let underWay: Int
    /// Whether somebody has the lease or waits for messages: a lease begins with the first message.
    package let isServed: Bool

    package init(_ node: JSONNode) {
        let config = node["config"]
        let list = config?["filter_subjects"]?.elements?.compactMap(\.string) ?? []
        name = node["name"]?.string ?? ""
        subjects = list + [config?["filter_subject"]?.string].compactMap { $0 }
        pulls = node["num_waiting"]?.integer ?? 0
        waiting = node["num_pending"]?.integer ?? 0
        underWay = node["num_ack_pending"]?.integer ?? 0
        let groups = node["priority_groups"]?.elements ?? []
        isServed = pulls > 0 || groups.contains { $0["pinned_client_id"]?.string?.isEmpty == false }
    }
}
