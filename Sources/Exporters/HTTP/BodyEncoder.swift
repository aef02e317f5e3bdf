import Basics
import OTLP

/// The thread that compresses and re-encodes bodies for all exporters.
///
/// Milliseconds of work for each body, which would stall the cooperative pool. What waits is bounded by the exporters'
/// concurrency.
package final class BodyEncoder: Sendable {
    private let thread = SerialThread(name: "millrace-encode")

    /// Starts the thread.
    package init() {}

    deinit {
        thread.stop()
    }

    /// The body compressed; nil when there is no memory for it.
    func compress(_ body: [UInt8], _ coding: ContentCoding) async -> [UInt8]? {
        await thread.run { coding.compress(body) }
    }

    /// The request in OTLP/JSON; nil where its protobuf cannot be read.
    func json(_ wire: [UInt8], _ signal: Signal) async -> [UInt8]? {
        await thread.run { try? OTLPJSON.encode(wire, signal: signal) }
    }
}
