import Basics
import Journal
import OTLP

/// One attempt to deliver a batch in which there is something of a recorded request.
struct TracedAttempt {
    private let telemetry: Telemetry
    private let requests: [TraceContext]
    private let begin: UnixTime

    /// Nil where nothing of the batch is recorded.
    init?(of batch: PendingBatch, _ telemetry: Telemetry) {
        var requests: [TraceContext] = []
        for case let trace? in batch.records.lazy.map(\.metadata.request) where !requests.contains(trace) {
            requests.append(trace)
            if requests.count > Telemetry.linksMax { break }
        }
        guard !requests.isEmpty else { return nil }
        self.requests = requests
        self.telemetry = telemetry
        begin = telemetry.clock.now()
    }

    /// The destination has answered, or not: the span is part of the first request's trace, and linked to those of the others.
    func end(_ outcome: DeliveryOutcome, of request: PendingRequest, by delivery: Delivery) {
        let batch = request.batch
        var span = OwnSpan(
            name: "deliver \(batch.signal.name)",
            kind: .client,
            context: requests[0].child(),
            parent: requests[0].spanID,
            links: Array(requests.dropFirst()),
            begin: begin,
            end: telemetry.clock.now()
        )
        span.attributes = [
            ("millrace.exporter", .text(delivery.name)), ("millrace.signal", .text(batch.signal.name)),
            ("millrace.pipeline", .text(delivery.log?.pipeline ?? "")),
            ("millrace.route", .text(batch.route.description)), ("millrace.items", .integer(batch.items)),
            ("millrace.bytes", .integer(batch.payload.count)),
            ("millrace.attempt", .integer(request.history.attempts)), ("millrace.outcome", .text(outcome.name)),
        ]
        span.failure = outcome.failure
        telemetry.add(span)
    }
}

extension DeliveryOutcome {
    /// What a span says of what went wrong; nil where nothing did.
    fileprivate var failure: String? {
        if case .delivered(let rejected, _) = self { return rejected > 0 ? "\(rejected) rejected" : nil }
        // Behind a colon come the words of others, of destinations above all, which quote what they refuse.
        return reason.map { String($0.prefix { $0 != ":" }) }
    }

    /// Why nothing, or not all, was delivered; nil where everything was.
    var reason: String? {
        switch self {
        case .delivered(let rejected, let message): rejected > 0 ? "\(rejected) rejected: \(message)" : nil
        case .failed(let rejection), .tooLarge(let rejection), .refused(let rejection): rejection.reason
        case .unavailable(let reason, _), .timedOut(let reason), .parked(let reason), .unsendable(let reason): reason
        case .cancelled: "the process stops"
        }
    }
}
