import Basics
import Glibc
import Synchronization

/// The socket, standard input, between a gateway and the `millrace exec` that has started it: one is told when the other can be sent to,
/// the other when to end.
///
/// Any thread.
final class Lifeline: Sendable {
    /// What the gateway writes when it takes requests, and what it reads where the command has not run.
    static let ready = UInt8(ascii: "r")
    static let unused = UInt8(ascii: "u")

    /// The receivers and the admin endpoint.
    private let waiting = Mutex(2)
    private let isUnused = Mutex(false)

    /// Whether there is something to say of what came.
    var wantsBalance: Bool { isUnused.withLock { !$0 } }

    /// A part of the process takes requests; after the last one `exec` is told.
    func partIsUp() {
        let isLast = waiting.withLock { waiting in
            waiting -= 1
            return waiting == 0
        }
        if isLast { Self.say(Self.ready, to: STDIN_FILENO) }
    }

    /// Sends this process SIGTERM when nothing is left to read: `exec` has ended, however it did.
    func stopAtItsEnd() {
        spawnThread(named: "millrace-input") {
            var byte: UInt8 = 0
            while true {
                let count = unsafe read(STDIN_FILENO, &byte, 1)
                if count == 1, byte == Self.unused { self.isUnused.withLock { $0 = true } }
                if count == 0 || count < 0 && errno != EINTR { break }
            }
            kill(getpid(), SIGTERM)
        }
    }

    /// Writes a byte to a socket, where the other end is still there.
    static func say(_ byte: UInt8, to descriptor: Int32) {
        var byte = byte
        _ = unsafe send(descriptor, &byte, 1, Int32(MSG_NOSIGNAL))
    }
}

/// Why a part of the process cannot start, and what to do.
struct StartError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
