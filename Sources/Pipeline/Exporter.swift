package import Basics
package import OTLP

/// Telemetry of one signal and one route, ready to send.
package struct Batch: Sendable {
    package let signal: Signal
    package let route: Route
    /// Headers kept from the requests (`forward_headers`), sent along by exporters that speak HTTP.
    package let headers: [HTTPHeader]
    /// One export request in protobuf wire form.
    package let payload: [UInt8]
    /// How many spans, data points or log records are inside.
    package let items: Int

    package init(signal: Signal, route: Route, headers: [HTTPHeader], payload: [UInt8], items: Int) {
        self.signal = signal
        self.route = route
        self.headers = headers
        self.payload = payload
        self.items = items
    }
}

/// What became of a batch that was sent.
///
/// There are exactly as many cases as the delivery has reactions.
package enum DeliveryOutcome: Sendable, Equatable {
    /// The destination has it; `rejected` items of it were turned away by a partial success with `message`.
    case delivered(rejected: Int, message: String)
    /// The same bytes may succeed later, not before `after` where the destination said so.
    case retry(reason: String, after: Duration?)
    /// The destination takes no request of this size.
    case tooLarge(reason: String)
    /// The destination will never take these bytes.
    case refused(status: Int?, reason: String)
    /// The route takes nothing until somebody acts: a deleted experiment, refused credentials.
    case parked(reason: String)
    /// The process is shutting down; nothing is known of the batch.
    case cancelled

    /// Delivered whole.
    package static let delivered = DeliveryOutcome.delivered(rejected: 0, message: "")
}

/// Sends batches to one destination.
package protocol Exporter: Sendable {
    /// Whether spans of different routes must go in different requests.
    var usesRoutes: Bool { get }
    /// Whether two requests of one route may never be under way at once, so that none shares a trace with another.
    var deliversOneAtATimePerRoute: Bool { get }
    /// How many requests may be under way at once.
    var concurrency: Int { get }

    /// Sends one batch and says what became of it; suspends without blocking, never throws.
    func export(_ batch: Batch) async -> DeliveryOutcome

    /// Gives up what it holds, after the last `export` has returned.
    func close() async
}

extension Exporter {
    package var usesRoutes: Bool { deliversOneAtATimePerRoute }
    package var deliversOneAtATimePerRoute: Bool { false }
    package var concurrency: Int { 1 }
    package func close() async {}
}
