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
    /// Who sent it, for exporters that keep that; nil for others and without authentication.
    package var identity: String?
    /// Names the records in the journal that it is made of, the same for the same batch; nil for what no journal holds.
    package var records: String?

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
    /// The destination takes nothing now, whatever it is sent; not before `after` where it said so.
    case unavailable(reason: String, after: Duration?)
    /// No answer came in time: the request may be too much for the destination, which may have stored it all the same.
    case timedOut(reason: String)
    /// The destination failed on it: it is in trouble, or it stumbles over these bytes.
    case failed(Rejection)
    /// The destination takes no request of this size.
    case tooLarge(Rejection)
    /// The destination will never take these bytes.
    case refused(Rejection)
    /// The route takes nothing until somebody acts: a deleted experiment, refused credentials.
    case parked(reason: String)
    /// The route waits like a parked one, but nothing was sent, so nothing is known of the destination.
    case unsendable(reason: String)
    /// The process is shutting down; nothing is known of the batch.
    case cancelled

    /// Delivered whole.
    package static let delivered = DeliveryOutcome.delivered(rejected: 0, message: "")
}

/// What a destination said when it did not take a batch.
package struct Rejection: Sendable, Equatable {
    /// Of an answer's body, what is kept of it at most.
    package static let bodyBytesMax = 4096

    /// The status of the answer; nil where the batch was refused without one.
    package let status: Int?
    /// For logs and listings, on one line.
    package let reason: String
    /// The answer's body, its first 4 KiB.
    package let body: [UInt8]

    package init(status: Int?, reason: String, body: [UInt8] = []) {
        self.status = status
        self.reason = reason
        self.body = Array(body.prefix(Self.bodyBytesMax))
    }
}

/// Sends batches to one destination.
package protocol Exporter: Sendable {
    /// Whether spans of different routes must go in different requests.
    var usesRoutes: Bool { get }
    /// Whether spans that different members sent must go in different requests.
    var keepsIdentity: Bool { get }
    /// Whether two requests of one route may never be under way at once, so that none shares a trace with another.
    var deliversOneAtATimePerRoute: Bool { get }
    /// How many requests may be under way at once.
    var concurrency: Int { get }

    /// What it takes of traces of which spans went ahead while they were open (`WindowStage`); suspends without blocking.
    var amendmentsTaken: AmendmentsTaken { get async }

    /// Its addresses, where it has several that stand in for each other; any thread.
    var endpoints: [EndpointCondition] { get }

    /// Sends one batch and says what became of it; suspends without blocking, never throws.
    func export(_ batch: Batch) async -> DeliveryOutcome

    /// Gives up what it holds, after the last `export` has returned.
    func close() async
}

extension Exporter {
    package var usesRoutes: Bool { deliversOneAtATimePerRoute }
    package var keepsIdentity: Bool { false }
    package var deliversOneAtATimePerRoute: Bool { false }
    package var concurrency: Int { 1 }
    package var endpoints: [EndpointCondition] { [] }
    package var amendmentsTaken: AmendmentsTaken { .nothing }
    package func close() async {}
}
