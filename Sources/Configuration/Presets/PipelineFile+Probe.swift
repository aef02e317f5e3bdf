package import Logging
import OTLP
import Pipeline
import Settings

extension PipelineFile {
    /// Sends each exporter's destination a request with nothing in it, as the exporter would send spans.
    ///
    /// Destinations that read the request and find nothing in it have answered, too: they let in whoever sent it.
    ///
    /// - Returns: By the exporters' names in the order of the file what they say against it; nil where they take it.
    package func probeDestinations(logger: Logger) async -> [(exporter: String, trouble: String?)] {
        let set = ExporterSet(self, logger: logger)
        var answers: [(exporter: String, trouble: String?)] = []
        for exporter in exporters {
            let batch = Batch(signal: .traces, route: .none, headers: [], payload: [], items: 0)
            let outcome = await set[exporter.name]?.export(batch) ?? .cancelled
            answers.append((exporter.name, Self.trouble(outcome)))
        }
        await set.close()
        return answers
    }

    private static func trouble(_ outcome: DeliveryOutcome) -> String? {
        switch outcome {
        case .delivered: nil
        case .refused(let rejection) where rejection.status == 400 || rejection.status == 422: nil
        case .refused(let rejection), .failed(let rejection), .tooLarge(let rejection): rejection.reason
        case .unavailable(let reason, _), .timedOut(let reason), .parked(let reason), .unsendable(let reason): reason
        case .cancelled: "it was not asked"
        }
    }
}
