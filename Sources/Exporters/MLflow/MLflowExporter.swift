package import Basics
import MLflow
import OTLP
package import Pipeline

/// Sends traces to an MLflow tracking server, each batch to the experiment of its route.
///
/// Always protobuf: JSON is read by new versions only, and not without faults. Batches of one experiment go one after
/// another, because MLflow serialises the writers of a trace.
package struct MLflowExporter: Exporter {
    /// The experiment that every MLflow has, "Default".
    static let defaultExperiment = "0"
    /// Headers that a client never sets.
    private static let fixedHeaders: Set<String> = ["x-mlflow-experiment-id"]

    private let settings: MLflowSettings
    private let routing: Routing
    private let server: MLflowServer
    private let client: CompressingClient
    private let experiments: ExperimentDirectory
    private let version: MLflowVersionProbe
    private let names: TraceNames?
    private let tags: ResourceTags
    private let wallClock: WallClock

    /// - Parameters:
    ///   - settings: What to send where.
    ///   - routing: Whether missing experiments are created and deleted ones restored, and which of those.
    ///   - client: Sends the requests, with headers and credentials.
    ///   - encoder: Compresses.
    ///   - clock: For the age of what is remembered.
    ///   - wallClock: For dates in `Retry-After`.
    package init(
        _ settings: MLflowSettings,
        routing: Routing = Routing(),
        client: any HTTPClient,
        encoder: BodyEncoder,
        clock: MonotonicClock = .system,
        wallClock: WallClock = .system
    ) {
        self.settings = settings
        self.routing = routing
        self.wallClock = wallClock
        server = MLflowServer(baseURL: settings.endpoint.url, workspace: settings.workspace)
        experiments = ExperimentDirectory(
            server: server,
            client: client,
            mayCreate: routing.createsMissing,
            restorable: Set(routing.named.compactMap(\.experiment)),
            clock: clock,
            wallClock: wallClock
        )
        version = MLflowVersionProbe(server: server, client: client, clock: clock)
        tags = ResourceTags(settings.resourceTags)
        names = settings.traceNames == .rest ? TraceNames(server: server, client: client) : nil
        let memory = CompressionMemory(settings.requests.compression, to: settings.endpoint)
        self.client = CompressingClient(client: client, encoder: encoder, memory: memory)
    }

    package var deliversOneAtATimePerRoute: Bool { true }
    package var concurrency: Int { settings.requests.concurrency }

    /// Servers before 3.7 count the tokens of a span that is sent again once more.
    ///
    /// One that was found to be so is taken for it until the process ends: of an open trace it has nothing.
    package var amendmentsTaken: AmendmentsTaken {
        get async { await version.isOrWas(before: .firstCountingOnce) ? .whole : .changes }
    }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        // Where the server forgot the experiment, it is looked up or created again and the batch goes out once more.
        for isFirst in [true, false] {
            let id: String
            switch await experiment(of: batch.route) {
            case .found(let found): id = found
            case .unreachable(let reason, let retryAfter):
                version.forget()
                return .unavailable(reason: reason, after: retryAfter)
            case .unavailable(let reason, let retryAfter): return .unavailable(reason: reason, after: retryAfter)
            case .parked(let reason): return .parked(reason: reason)
            case .unsendable(let reason): return .unsendable(reason: reason)
            case .cancelled: return .cancelled
            }
            switch await send(batch, to: id) {
            case .outcome(.delivered(let rejected, let message)):
                guard let names else { return .delivered(rejected: rejected, message: message) }
                return .delivered(rejected: rejected, message: message + (await names.set(for: batch.payload)))
            case .outcome(let outcome): return outcome
            case .serverGone(let reason, let retryAfter):
                forgetServer()
                return .unavailable(reason: reason, after: retryAfter)
            case .experimentGone(let reason):
                guard let reference = batch.route.experiment, isFirst else { return .parked(reason: reason) }
                experiments.forget(reference)
            }
        }
        return .parked(reason: "MLflow does not know the experiment that it has just named")
    }

    private func experiment(of route: Route) async -> ExperimentLookup {
        guard let reference = route.experiment else { return .found(id: Self.defaultExperiment) }
        if case .id(let id) = reference, id.isEmpty || !id.utf8.allSatisfy(\.isDigit) {
            return .unsendable(reason: "an id is all digits")
        }
        guard !route.isOverLong || routing.named.contains(route) else {
            return .unsendable(reason: "its name is longer than \(Route.nameCharactersMax) characters")
        }
        return await experiments.id(of: reference)
    }

    private func send(_ batch: Batch, to experiment: String) async -> MLflowAnswer {
        let fixed = [
            HTTPHeader("Content-Type", "application/x-protobuf"), HTTPHeader("x-mlflow-experiment-id", experiment),
        ]
        let run = settings.runID.map { [HTTPHeader("x-mlflow-run-id", $0)] } ?? []
        let forwarded = batch.headers.forwardable(except: Self.fixedHeaders)
        let replaced = Set(forwarded.map { $0.name.lowercased() })
        let headers = fixed + (server.headers + run).filter { !replaced.contains($0.name) } + forwarded
        let version = await version.known()
        let request = HTTPRequest(
            method: "POST",
            url: settings.endpoint.url(path: Signal.traces.defaultPath),
            headers: headers,
            body: tags.applied(to: batch.payload),
            timeout: settings.timeout(for: version)
        )
        do throws(HTTPFailure) {
            let mayCompress = version.map { $0 >= .firstWithGzip } ?? false
            let answer = MLflowAnswer(try await client.send(request, mayCompress: mayCompress), now: wallClock.now())
            if case .outcome(.delivered) = answer { experiments.serverAnswered() }
            return answer
        } catch {
            if case .unreachable = error { forgetServer() }
            return .outcome(OTLPAnswer.outcome(of: error))
        }
    }

    /// The server was away and may come back as another version with another database.
    private func forgetServer() {
        experiments.forgetAll()
        version.forget()
    }
}

extension Route {
    /// Nil where none was chosen.
    fileprivate var experiment: ExperimentReference? {
        switch self {
        case .none: nil
        case .experimentName(let name): .name(name)
        case .experimentID(let id): .id(id)
        }
    }
}
