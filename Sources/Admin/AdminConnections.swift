import Basics
import NIOCore
import Pipeline
import TLS

/// How many clients the admin endpoint serves, and how long each may take.
package struct AdminLimits: Sendable {
    /// Connections at once; one more closes the one that has been idle, or slow, for longest.
    package var connections = 64
    /// Of these, those that listen to a stream; one more is told to ask from time to time.
    package var streams = 8
    /// Without a request.
    package var idle = Duration.seconds(60)
    /// From the first byte of a request to the end of its head.
    package var head = Duration.seconds(10)
    /// From the end of the head to the end of the body.
    package var body = Duration.seconds(10)
    /// From an answer to its last byte being taken by the client.
    package var writing = Duration.seconds(30)
    /// Bodies, which nobody looks at, are not read further.
    package var bodyBytes = 64 << 10

    package init() {}
}

/// The open connections of the admin endpoint; only used on its event loop.
final class AdminConnections {
    let limits: AdminLimits
    private var open: [ObjectIdentifier: AdminConnection] = [:]
    private var denials = SenderThrottle()
    /// Connections that listen to a stream.
    var streams = 0

    init(_ limits: AdminLimits) {
        self.limits = limits
    }

    /// Takes one more, in the place of the one that has been waiting for its client for longest; false where all have requests
    /// that are being worked on.
    func admit(_ connection: AdminConnection) -> Bool {
        if open.count >= limits.connections {
            let waiting = open.values.filter(\.waitsForClient)
            guard let oldest = waiting.min(by: { $0.since < $1.since }) else { return false }
            open[ObjectIdentifier(oldest)] = nil
            oldest.close()
        }
        open[ObjectIdentifier(connection)] = connection
        return true
    }

    /// How many refusals of that client's requests were not logged since the last one that was; nil where this one is not, too.
    func admitDenial(of client: ClientAddress) -> Int? {
        let now = Duration.nanoseconds(Int64(clamping: NIODeadline.now().uptimeNanoseconds))
        return denials.admit(.address(client.source), now: now)
    }

    func remove(_ connection: AdminConnection) {
        open[ObjectIdentifier(connection)] = nil
    }
}
