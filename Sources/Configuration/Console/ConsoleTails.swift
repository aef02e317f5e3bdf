import OTLP
import Pipeline
import Synchronization

/// The newest requests of one tail, as long as somebody watches.
struct KeptRequests: Sendable {
    /// Requests, and bytes of them, at most.
    static let countMax = 200
    private static let bytesMax = 8 << 20

    private var requests: [(number: Int, request: RequestTap.Request)] = []
    private var bytes = 0
    private var next = 0

    /// Keeps one; the oldest give way.
    ///
    /// - Returns: What it is asked for by.
    mutating func add(_ request: RequestTap.Request) -> Int {
        requests.append((next, request))
        bytes += request.batch.bytes.count
        while requests.count > Self.countMax || bytes > Self.bytesMax {
            bytes -= requests.removeFirst().request.batch.bytes.count
        }
        next += 1
        return next - 1
    }

    /// Nil for what is not kept.
    subscript(number: Int) -> RequestTap.Request? { requests.first { $0.number == number }?.request }
}

/// Who watches; any thread.
final class ConsoleTails: Sendable {
    private struct Entry {
        weak var tail: ConsoleTail?
    }

    private let tails = Mutex<[String: Entry]>([:])

    /// Adds one; those that have ended are forgotten.
    func add(_ tail: ConsoleTail) {
        tails.withLock { tails in
            tails = tails.filter { $0.value.tail != nil }
            tails[tail.name] = Entry(tail: tail)
        }
    }

    /// Nil where that one has ended.
    subscript(name: String) -> ConsoleTail? { tails.withLock { $0[name]?.tail } }
}
