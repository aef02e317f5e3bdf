import Basics
import Configuration
import Logging
import ServiceLifecycle

/// Says once what may be wrong where somebody connects and nothing of what is sent can be taken.
struct FirstItemService: Service {
    /// From the first connection or request on.
    private static let patience = Duration.seconds(30)
    private static let interval = Duration.seconds(1)
    /// Looks in a row without a connection, after which one that sent nothing was a probe.
    private static let emptyLooksMax = 5

    let assembly: Assembly
    let logger: Logger

    func run() async {
        try? await cancelWhenGracefulShutdown { try await watch() }
        try? await gracefulShutdown()
    }

    /// Until something was taken, or it was said why nothing is.
    private func watch() async throws {
        var first: ContinuousClock.Instant?
        var emptyLooks = 0
        while true {
            let arrivals = assembly.arrivals
            guard arrivals.accepted == 0 else { return }
            if first == nil, arrivals.connections > 0 || !arrivals.answers.isEmpty { first = .now }
            emptyLooks = arrivals.connections == 0 && arrivals.answers.isEmpty ? emptyLooks + 1 : 0
            if emptyLooks >= Self.emptyLooksMax { first = nil }
            if let first, .now - first >= Self.patience { return tell(arrivals) }
            try await Task.sleep(for: Self.interval)
        }
    }

    private func tell(_ arrivals: Arrivals) {
        let answers = arrivals.answers.filter { $0.value > 0 }.sorted { $0.key < $1.key }
        let said = answers.map { "\($0.value) of \($0.key)" }.joined(separator: ", ")
        logger.warning(
            "somebody connected \(Self.patience.text) ago, and nothing has been taken since",
            metadata: [
                "answers": "\(said.isEmpty ? "none" : said)",
                "likely": "\(Self.causes(of: Set(answers.map(\.key))).joined(separator: "; "))",
            ]
        )
    }

    /// The likely causes, where these statuses were answered and nothing was taken.
    static func causes(of answers: Set<String>) -> [String] {
        let known = [
            ("401", "no token or a wrong one: OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN"),
            ("403", "the sender may not write to the experiment, or names a host that is not accepted"),
            ("404", "a wrong path: OTEL_EXPORTER_OTLP_ENDPOINT is the base address, without /v1/traces"),
            ("413", "bodies over max_body"), ("415", "a content type that is neither protobuf nor JSON"),
            (
                "400",
                "TLS to a plain port (http:// in OTEL_EXPORTER_OTLP_ENDPOINT), the other protocol (OTEL_EXPORTER_OTLP_PROTOCOL) or "
                    + "bodies that are no OTLP"
            ),
        ]
        let found = known.filter { answers.contains($0.0) }.map(\.1)
        guard found.isEmpty else { return found }
        return [
            "a gRPC client where only HTTP is spoken, or the other way round: OTEL_EXPORTER_OTLP_PROTOCOL",
            "TLS to a plain port: Go's default is https, and http:// in OTEL_EXPORTER_OTLP_ENDPOINT makes it plain",
            "an app that sends at its end, or samples nothing: OTEL_TRACES_SAMPLER, OTEL_SDK_DISABLED",
        ]
    }
}
