package import Basics
package import Settings
import Synchronization

/// Who stores in a stream and takes from it: members answer over the servers whoever asks what they have of it.
package enum StreamMembers {
    private static func subject(of stream: String) -> String { "millrace.ledger.\(stream)" }

    /// Lets a client answer from now on, as long as it lives; `report` is called on its thread and must not block.
    package static func answer(_ stream: String, over client: NATSClient, _ report: @escaping @Sendable () -> JSON) {
        _ = client.subscribe(subject(of: stream)) { [weak client] message in
            // Nobody has anything published elsewhere with the rights of a member.
            guard let client, let reply = message.reply, reply.hasPrefix("_INBOX.") else { return }
            let report = report()
            let text = Array(report.lineText.utf8)
            // A server ends the connection of who sends more.
            let fits = text.count <= client.payloadMax
            client.publish(reply, fits ? text : Array(rest(of: report, text.count).lineText.utf8))
        }
    }

    /// What is said in place of a report that is larger than the servers take: whose it is, and how large.
    private static func rest(of report: JSON, _ bytes: Int) -> JSON {
        guard case .object(let members) = report else { return [:] }
        return .object(members.filter { $0.name != "ledger" }).adding(["too_large": .integer(bytes)])
    }

    /// Asks all of them, and gives what has come after `limit`; at once nothing where the servers say that there are none.
    package static func ask(_ stream: String, over client: NATSClient, within limit: Duration) async -> [JSONNode] {
        let answers = Mutex<[JSONNode]>([])
        let bell = Doorbell()
        let inbox = client.makeInbox()
        let subscription = client.subscribe(inbox) { message in
            if message.status?.code == 503 { bell.ring() }
            guard message.status == nil, let node = try? JSONNode(parsing: message.payload) else { return }
            answers.withLock { $0.append(node) }
        }
        client.publish(subject(of: stream), reply: inbox)
        let alarm = Task {
            try? await MonotonicClock.system.sleep(limit)
            bell.ring()
        }
        await bell.wait()
        alarm.cancel()
        client.unsubscribe(subscription)
        return answers.withLock { $0 }
    }
}
