package import Basics
import HTTPClient
import MLflow
package import OTLP
package import Pipeline
package import Settings

/// The settings of an `mlflow` exporter.
package struct MLflowSettings: Sendable {
    /// How traces get their names.
    package enum TraceNames: Sendable {
        /// By an attribute of the root span alone, which MLflow 3.7 and later read; the default.
        case otlp
        /// Also by a REST call for each delivered root span, for servers that do not read the attribute.
        case rest
    }

    /// The tracking server, without `/v1/traces`.
    package var endpoint: HTTPEndpoint
    /// With `password`.
    package var username: String?
    package var password: Secret?
    /// In place of user and password.
    package var token: Secret?
    /// The `x-mlflow-workspace` of every request; nil for the server's default.
    package var workspace: String?
    /// The run that traces are linked to (`x-mlflow-run-id`); nil for none.
    package var runID: String?
    package var traceNames = TraceNames.otlp
    /// Globs of resource attributes that may become tags; `!` stands before those that may not, and the last match decides.
    package var resourceTags = ResourceTags.standard
    /// Of requests to the OTLP endpoint.
    ///
    /// A minute, because MLflow stores about 200 to 2,000 spans a second, and two at once, because more do not make it faster.
    /// A server older than 3.7 gets five times as long, and no compressed body, as one of unknown version gets none.
    package var requests = RequestSettings(timeout: .seconds(60), concurrency: 2)

    package init(endpoint: HTTPEndpoint) {
        self.endpoint = endpoint
    }

    /// What says who sends a request.
    var authorization: Credentials.Authorization {
        if let token { return .bearer(token) }
        guard let username, let password else { return .none }
        return .basic(username: username, password: password)
    }

    /// How long a server of that version may take for one request.
    ///
    /// A server that is merely slow stores the spans all the same, and an old one then counts their tokens twice.
    func timeout(for version: MLflowVersion?) -> Duration {
        guard let version, version < .firstCountingOnce else { return requests.timeout }
        return requests.timeout * 5
    }
}

extension MLflowSettings: DestinationSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Delivers to an MLflow tracking server, each trace to the experiment that `mlflow_experiment` chose.",
        MLflowSettings(endpoint: .placeholder),
        [
            Field("endpoint", \.endpoint, .endpoint, "The tracking server's base address.", required: true),
            Field("username", optional: \.username, .text, "User for HTTP Basic authentication, with `password`."),
            Field("password", optional: \.password, .secret, "Password of that user."),
            Field("token", optional: \.token, .secret, "Bearer token, in place of user and password."),
            Field("workspace", optional: \.workspace, .text, "The server's workspace; without it, its default one."),
            Field("run_id", optional: \.runID, .text, "The run that traces are linked to."),
            Field(
                "trace_names",
                \.traceNames,
                .choice(["otlp": .otlp, "rest": .rest]),
                "How traces get their names: by an attribute, or also by a REST call for servers before 3.7."
            ),
            Field(
                "resource_tags",
                \.resourceTags,
                .list(of: .text),
                "Resource attributes that may become tags: globs, `!` before those that may not. The last match decides; what none matches becomes no tag."
            ),
        ] + RequestSettings.fields(at: \.requests),
        check: { settings, group, context in
            if settings.resourceTags.contains(where: { $0 == "" || $0 == "!" }) {
                context.report(
                    "each of \"resource_tags\" is a glob, such as \"team.*\" or \"!host.*\"",
                    at: group.offset
                )
            }
            RequestSettings.checkAuthorization(group, &context)
            if settings.requests.compression == .zstd, let node = group["compression"] {
                context.report("MLflow reads no zstd; allowed: \"gzip\", \"none\" or \"auto\"", at: node.offset)
            }
            if settings.token != nil && (settings.username != nil || settings.password != nil) {
                context.report("\"token\" and \"username\" exclude each other", at: group.offset)
            }
            if (settings.username == nil) != (settings.password == nil) {
                context.report("\"username\" and \"password\" go together", at: group.offset)
            }
        }
    )

    package var signals: Set<Signal> { [.traces] }

    package var descriptors: Int { CurlLoop.descriptorsPerExporter }
    package var unrouted: Route? { .experimentID(MLflowExporter.defaultExperiment) }

    package func makeExporter(in context: ExporterContext) -> any Exporter {
        var connection = requests.connection
        connection.unixSocket = endpoint.unixSocket
        let client = requests.clients(in: context, authorization: authorization)(connection)
        return MLflowExporter(self, routing: context.routing, client: client, encoder: context.encoder)
    }
}
