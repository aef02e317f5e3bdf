package import Basics
package import Logging
package import OTLP
import Synchronization

/// Sends what Millrace records about itself to one exporter, beside its deliveries and without the journal.
///
/// Requests that it sends say by `traceparent` that nobody is to record them, so that a Millrace that gets them, itself above
/// all, makes no spans of them; nor does one that gets them from another's pipeline (`Envelope.isOwnTelemetry`).
package final class TelemetrySender: Sendable {
    /// Spans in one request, at most.
    private static let batchMax = 512
    /// Between two looks for spans, at most.
    private static let pauseMax = Duration.seconds(5)
    private static let logPause = Duration.seconds(60)

    private let telemetry: Telemetry
    private let exporter: any Exporter
    private let signals: Set<Signal>
    private let meters: Meters
    private let interval: Duration
    private let clock: MonotonicClock
    private let logger: Logger
    private let resource = OwnResource()
    private let start: UnixTime
    private let lastWarning = Mutex<Duration?>(nil)
    /// Spans in the next request, at most.
    private let batchMax = Mutex(TelemetrySender.batchMax)

    /// - Parameters:
    ///   - telemetry: Keeps the spans.
    ///   - exporter: Gets them, and the metrics.
    ///   - signals: What the exporter takes.
    ///   - meters: What metrics are made of.
    ///   - interval: Between two requests with metrics.
    ///   - clock: For the pauses.
    ///   - logger: Told of failures, once a minute at most.
    package init(
        _ telemetry: Telemetry,
        to exporter: any Exporter,
        taking signals: Set<Signal>,
        meters: Meters,
        interval: Duration,
        clock: MonotonicClock = .system,
        logger: Logger
    ) {
        self.telemetry = telemetry
        self.exporter = exporter
        self.signals = signals
        self.meters = meters
        self.interval = interval
        self.clock = clock
        self.logger = logger
        start = telemetry.clock.now()
    }

    /// Works until the task is cancelled.
    package func run() async {
        let pause = min(interval, Self.pauseMax)
        var metricsAt = clock.now() + interval
        while !Task.isCancelled {
            do { try await clock.sleep(pause) } catch { return }
            await sendSpans()
            guard clock.now() >= metricsAt else { continue }
            metricsAt = clock.now() + interval
            await sendMetrics()
        }
    }

    /// Sends what there is, for the end.
    package func flush() async {
        await sendSpans()
        await sendMetrics()
    }

    private func sendSpans() async {
        guard signals.contains(.traces) else { return }
        while case let spans = telemetry.take(batchMax.withLock { $0 }), !spans.isEmpty {
            switch await send(resource.request(spans: spans), .traces, items: spans.count) {
            case .delivered(let rejected, _):
                telemetry.drop(min(rejected, spans.count))
                batchMax.withLock { $0 = min(2 * $0, Self.batchMax) }
            case .failed: return giveWay(spans)
            case .unavailable, .timedOut, .cancelled: return telemetry.putBack(spans)
            case .tooLarge, .refused, .parked, .unsendable: telemetry.drop(spans.count)
            }
        }
    }

    /// The destination failed on these spans, maybe on one of them: fewer are sent next, and one alone is given up.
    ///
    /// So it does not keep the others from it; a destination that fails on everything costs one span a look.
    private func giveWay(_ spans: [OwnSpan]) {
        guard spans.count > 1 else { return telemetry.drop(spans.count) }
        batchMax.withLock { $0 = spans.count / 2 }
        telemetry.putBack(spans)
    }

    private func sendMetrics() async {
        guard signals.contains(.metrics) else { return }
        let (payload, points) = resource.request(metrics: meters.readings, since: start, at: telemetry.clock.now())
        if points > 0 { _ = await send(payload, .metrics, items: points) }
    }

    private func send(_ payload: [UInt8], _ signal: Signal, items: Int) async -> DeliveryOutcome {
        let unrecorded = TraceParent(context: .random(), isSampled: false)
        let outcome = await exporter.export(
            Batch(
                signal: signal,
                route: .none,
                headers: [HTTPHeader(TraceParent.headerName, unrecorded.text)],
                payload: payload,
                items: items
            )
        )
        if outcome != .delivered { warn(of: outcome, signal) }
        return outcome
    }

    private func warn(of outcome: DeliveryOutcome, _ signal: Signal) {
        let now = clock.now()
        let isDue = lastWarning.withLock { last in
            if let last, now - last < Self.logPause { return false }
            last = now
            return true
        }
        guard isDue else { return }
        logger.warning(
            "telemetry was not delivered",
            metadata: ["signal": "\(signal.name)", "outcome": "\(outcome.name)", "reason": "\(outcome.reason ?? "")"]
        )
    }
}
