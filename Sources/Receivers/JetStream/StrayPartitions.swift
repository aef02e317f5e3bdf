import Basics
import NATS
import Settings

/// Partitions with messages that nobody pulls, though they are another member's: whoever finds one so twice pulls it as well.
///
/// Members are believed what they write; a stranger's key, and a member that has no room for more, pull nothing. Who gets the messages
/// the servers decide.
struct StrayPartitions {
    /// Between two looks, by a quarter more or less: members that looked at the same moment would begin and end to pull together.
    private static var interval: Duration { .seconds(15) * Double.random(in: 0.75...1.25) }
    private static let namesMax = 3

    /// What is pulled besides the own ones.
    private(set) var adopted: Set<Int> = []
    /// What nobody pulled when it was looked last.
    private var suspects: Set<Int> = []
    private var next: Duration

    /// Looks for the first time after an interval.
    init(now: Duration) {
        next = now + Self.interval
    }

    /// Looks where that is due; asks the servers nothing else.
    mutating func look(besides own: Set<Int>, _ consumers: PartitionConsumers, _ desk: RelayDesk, now: Duration) async {
        adopted.subtract(own)
        guard next <= now else { return }
        next = now + Self.interval
        do throws(JetStream.Failure) {
            let messages = try await consumers.messages().filter { $0.count > 0 }
            Self.note(messages.filter { $0.partition == nil }.map(\.subject), desk)
            let waiting = Set(messages.compactMap(\.partition)).subtracting(own)
            guard !waiting.union(adopted).isEmpty else { return suspects = [] }
            take(waiting, try await consumers.all())
        } catch {
            // Nothing is known: who pulls goes on, and nobody begins.
            suspects = []
        }
    }

    private mutating func take(_ waiting: Set<Int>, _ consumers: [Int: JetStreamConsumer]) {
        let unserved = waiting.subtracting(adopted).filter { consumers[$0]?.isServed != true }
        let found = unserved.intersection(suspects)
        suspects = unserved.subtracting(found)
        // Where another one waits for messages as well, it may have them.
        adopted = adopted.filter { consumers[$0]?.pulls ?? 0 < 2 }.union(found)
    }

    private static func note(_ foreign: [String], _ desk: RelayDesk) {
        guard !foreign.isEmpty else { return }
        let more = foreign.count > namesMax ? " and \(foreign.count - namesMax) more" : ""
        let names = foreign.sorted().prefix(namesMax).joined(separator: ", ")
        desk.note(.foreign, "the subjects \(names)\(more) are no partition's")
    }
}
