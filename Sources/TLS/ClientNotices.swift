package import Basics
package import Pipeline
import Synchronization

/// Lets what clients do wrong be said once for each of them: of 1,000 addresses and kinds, each is remembered for an hour
/// after it was last seen; while there are more, the others are not told of.
///
/// Any thread.
package final class ClientNotices: Sendable {
    private static let clientsMax = 1000
    private static let idleTime = Duration.seconds(3600)

    private struct Key: Hashable {
        let kind: String
        let address: SourceAddress
    }

    private let clock: WallClock
    private let told = Mutex(IdleTable<Key, Bool>(countMax: ClientNotices.clientsMax, idleTime: ClientNotices.idleTime))

    /// - Parameter clock: Tells who is idle.
    package init(clock: WallClock = .system) {
        self.clock = clock
    }

    /// Whether that kind of notice about a client is to be said now.
    package func isNew(_ kind: String, from address: SourceAddress) -> Bool {
        let now = clock.now()
        let key = Key(kind: kind, address: address)
        return told.withLock { $0.note(key, at: now) }
    }
}
