import Basics
import OTLP
import Synchronization

/// Requests on their way from the intake through the journal to a window, as they were read, so that they need not be read twice.
///
/// The eldest make room for others: who finds nothing here reads again. Any thread.
package final class BundleHandover: Sendable {
    /// What they take in memory, at most.
    private static let bytesMax = 8 << 20
    /// How many there are, at most: they are looked for one by one.
    private static let countMax = 256

    fileprivate struct State {
        /// In the order in which they came.
        var requests: [(batch: SpanBatch, trees: TraceTrees)] = []
        var bytes = 0
    }

    private let state = Mutex(State())

    package init() {}

    func give(_ batch: SpanBatch, _ trees: TraceTrees) {
        state.withLock { state in
            state.requests.append((batch, trees))
            state.bytes += batch.heldBytes
            while state.bytes > Self.bytesMax || state.requests.count > Self.countMax { state.remove(at: 0) }
        }
    }

    /// The request of exactly these bytes; nil where it is not there.
    func take(_ payload: [UInt8]) -> (batch: SpanBatch, trees: TraceTrees)? {
        state.withLock { state in
            guard let place = state.requests.firstIndex(where: { $0.batch.bytes.hasSameBytes(as: payload) }) else {
                return nil
            }
            return state.remove(at: place)
        }
    }
}

extension BundleHandover.State {
    @discardableResult
    fileprivate mutating func remove(at place: Int) -> (batch: SpanBatch, trees: TraceTrees) {
        bytes -= requests[place].batch.heldBytes
        return requests.remove(at: place)
    }
}

extension SpanBatch {
    fileprivate var heldBytes: Int { bytes.count + indexBytes }
}
