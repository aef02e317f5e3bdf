import Basics
package import OTLP
import Synchronization

/// Records a span for each sampled request, from when it is complete to its answer.
package final class TracedIntake: Intake {
    private let inner: any Intake
    private let telemetry: Telemetry
    /// By the observer of an event loop, which lives as long as the process.
    private let observers = Mutex<[ObjectIdentifier: TracedObserver]>([:])

    /// - Parameters:
    ///   - inner: Does the work.
    ///   - telemetry: Keeps the spans.
    package init(_ inner: any Intake, _ telemetry: Telemetry) {
        self.inner = inner
        self.telemetry = telemetry
    }

    package var signals: Set<Signal> { inner.signals }

    package func accept(
        _ request: IncomingRequest,
        ticket: UInt64,
        observer: any IntakeObserver
    ) -> IntakeAnswer? {
        guard let trace = telemetry.begin(request.source.header(TraceParent.headerName)) else {
            return inner.accept(request, ticket: ticket, observer: observer)
        }
        var request = request
        request.source.trace = trace
        let traced = traced(observer)
        traced.open(ticket, TracedRequest(trace: trace, request))
        guard let answer = inner.accept(request, ticket: ticket, observer: traced) else { return nil }
        traced.close(ticket, answer)
        return answer
    }

    private func traced(_ observer: any IntakeObserver) -> TracedObserver {
        observers.withLock { observers in
            if let traced = observers[ObjectIdentifier(observer)] { return traced }
            let traced = TracedObserver(observer, telemetry)
            observers[ObjectIdentifier(observer)] = traced
            return traced
        }
    }
}

/// What the span of a request says of it.
private struct TracedRequest: Sendable {
    let trace: RequestTrace
    let signal: Signal
    let receiver: String
    let bytes: Int

    init(trace: RequestTrace, _ request: IncomingRequest) {
        self.trace = trace
        signal = request.signal
        receiver = request.source.receiver
        bytes = request.body.count
    }

    func span(_ answer: IntakeAnswer, at end: UnixTime) -> OwnSpan {
        var span = OwnSpan(
            name: "receive \(signal.name)",
            kind: .server,
            context: trace.context,
            parent: trace.parent?.spanID,
            isParentRemote: trace.parent != nil,
            begin: trace.begin,
            end: end
        )
        span.attributes = [
            ("millrace.receiver", .text(receiver)), ("millrace.signal", .text(signal.name)),
            ("millrace.items", .integer(trace.items)), ("millrace.bytes", .integer(bytes)),
            ("millrace.outcome", .text(answer.outcome.name)),
        ]
        if let journaled = trace.journaledAt {
            span.attributes.append(("millrace.journal_wait_seconds", .seconds(journaled.since(trace.begin))))
        }
        span.failure = answer.outcome.failure
        return span
    }
}

/// Ends the spans of the requests of one event loop.
private final class TracedObserver: IntakeObserver {
    private let inner: any IntakeObserver
    private let telemetry: Telemetry
    private let requests = Mutex<[UInt64: TracedRequest]>([:])

    init(_ inner: any IntakeObserver, _ telemetry: Telemetry) {
        self.inner = inner
        self.telemetry = telemetry
    }

    func open(_ ticket: UInt64, _ request: TracedRequest) {
        requests.withLock { $0[ticket] = request }
    }

    func close(_ ticket: UInt64, _ answer: IntakeAnswer) {
        guard let request = requests.withLock({ $0.removeValue(forKey: ticket) }), !request.trace.isForgotten else {
            return
        }
        telemetry.add(request.span(answer, at: telemetry.clock.now()))
    }

    func settled(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        for (ticket, answer) in answers { close(ticket, answer) }
        inner.settled(answers)
    }
}

extension IntakeAnswer {
    /// A word for what became of a request, and why it was not taken.
    fileprivate var outcome: (name: String, failure: String?) {
        switch self {
        case .accepted: ("accepted", nil)
        case .partial(_, let message): ("partial", message)
        case .invalid(let message): ("invalid", message)
        case .tooLarge(let message): ("too_large", message)
        case .forbidden(let message): ("forbidden", message)
        case .throttled(let message, _): ("throttled", message)
        case .unavailable(let message, _): ("unavailable", message)
        }
    }
}
