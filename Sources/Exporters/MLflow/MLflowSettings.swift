package import Basics
package import MLflow
package import Pipeline

/// The settings of an `mlflow` exporter.
package struct MLflowSettings: Sendable {
    /// For one request by default: MLflow stores about 200 to 2,000 spans a second.
    package static let defaultTimeout = Duration.seconds(60)
    /// How much longer a server may take that counts tokens again when a request is sent again.
    package static let patienceWithoutResends = 5
    /// Requests under way at once by default; more do not make MLflow faster.
    package static let defaultConcurrency = 2

    /// How traces get their names.
    package enum TraceNames: String, Sendable, Hashable, CaseIterable {
        /// By an attribute of the root span alone, which MLflow 3.7 and later read; the default.
        case otlp
        /// Also by a REST call for each delivered root span, for servers that do not read the attribute.
        case rest
    }

    /// The tracking server, without `/v1/traces`.
    package var endpoint: HTTPEndpoint
    package var credentials: MLflowCredentials
    /// The `x-mlflow-workspace` of every request; nil for the server's default.
    package var workspace: String?
    /// The run that traces are linked to (`x-mlflow-run-id`); nil for none.
    package var runID: String?
    package var traceNames: TraceNames
    /// Whether missing experiments are created and deleted ones restored; from the pipeline's `mlflow_experiment`.
    package var createsExperiments: Bool
    /// The only experiments that are restored: those that the pipeline's `mlflow_experiment` names.
    package var namedRoutes: Set<Route>
    /// Sent with every request to the OTLP endpoint; a forwarded header of the same name replaces one.
    package var headers: [HTTPHeader]
    /// Whatever is set, a server older than 3.7 or of unknown version gets no compressed body.
    package var compression: CompressionSetting
    /// For one request, connecting included; a slower answer is a failure that is tried again.
    ///
    /// A server older than 3.7 gets five times as long.
    package var timeout: Duration
    /// Requests under way at once, at least 1.
    package var concurrency: Int
    package var connection: ConnectionSettings

    package init(
        endpoint: HTTPEndpoint,
        credentials: MLflowCredentials = .none,
        workspace: String? = nil,
        runID: String? = nil,
        traceNames: TraceNames = .otlp,
        createsExperiments: Bool = true,
        namedRoutes: Set<Route> = [],
        headers: [HTTPHeader] = [],
        compression: CompressionSetting = .auto,
        timeout: Duration = Self.defaultTimeout,
        concurrency: Int = Self.defaultConcurrency,
        connection: ConnectionSettings = ConnectionSettings()
    ) {
        self.endpoint = endpoint
        self.credentials = credentials
        self.workspace = workspace
        self.runID = runID
        self.traceNames = traceNames
        self.createsExperiments = createsExperiments
        self.namedRoutes = namedRoutes
        self.headers = headers
        self.compression = compression
        self.timeout = timeout
        self.concurrency = concurrency
        self.connection = connection
    }
}

extension MLflowSettings {
    /// How long a server of that version may take for one request.
    ///
    /// A server that is merely slow stores the spans all the same, and an old one then counts their tokens twice.
    func timeout(for version: MLflowVersion?) -> Duration {
        guard let version, version < .firstCountingOnce else { return timeout }
        return timeout * Self.patienceWithoutResends
    }
}
