import Basics
import MLflow
import OTLP
import Pipeline

/// What MLflow's answers mean: its own table, because its status codes are not OTLP's.
///
/// Transient database errors come as 400 and 422, poison comes as 422 and 500, and nothing ever says 429. Measured on
/// 3.6.0 and 3.17.2.
enum MLflowAnswer: Equatable {
    case outcome(DeliveryOutcome)
    /// The id is unknown to the server: its experiment was removed for good, or the server has another database now.
    case experimentGone(reason: String)

    init(_ response: HTTPResponse, now: UnixTime) {
        let problem = MLflowProblem(response)
        let reason = "status \(response.status): \(problem.message)"
        let refusal = Refusal(status: response.status, reason: reason, body: response.body)
        switch response.status {
        case 200..<300: self = .outcome(OTLPAnswer.success(response, .traces))
        case 408, 504: self = .outcome(.timedOut(reason: reason))
        case 429, 502, 503: self = .outcome(.unavailable(reason: reason, after: response.retryAfter(now: now)))
        case 413: self = .outcome(.tooLarge(refusal))
        case 404: self = Self.notFound(problem, reason)
        case 400, 422: self = Self.unprocessable(problem, refusal)
        case 501: self = .outcome(.parked(reason: "\(reason) (a file store keeps no OTLP traces)"))
        case 300..<400: self = .outcome(.parked(reason: "redirected to \(response.header("location") ?? "nowhere")"))
        case 401, 403, 405, 407, 415: self = .outcome(.parked(reason: reason))
        // A time over 2^63 and an archived trace among them: only who else gets through tells whose fault it is.
        case 500...: self = .outcome(.failed(refusal))
        default: self = .outcome(.refused(refusal))
        }
    }

    private static func notFound(_ problem: MLflowProblem, _ reason: String) -> MLflowAnswer {
        guard !namesMissingExperiment(problem), problem.code != "RESOURCE_DOES_NOT_EXIST" else {
            return .experimentGone(reason: reason)
        }
        return .outcome(.parked(reason: "\(reason) (OTLP needs MLflow 3.6 or later)"))
    }

    private static func unprocessable(_ problem: MLflowProblem, _ refusal: Refusal) -> MLflowAnswer {
        if namesMissingExperiment(problem) { return .experimentGone(reason: refusal.reason) }
        if isTransient(problem) { return .outcome(.unavailable(reason: refusal.reason, after: nil)) }
        if problem.mentions("Invalid experiment ID") { return .outcome(.parked(reason: refusal.reason)) }
        let isUnexplained =
            refusal.status == 422 ? problem.mentions("Failed to log OpenTelemetry spans") : isFromDatabase(problem)
        // 3.6.0 names what it failed on; 3.17.2 says only that it failed.
        return .outcome(isUnexplained && !isAboutContent(problem) ? .failed(refusal) : .refused(refusal))
    }

    private static func namesMissingExperiment(_ problem: MLflowProblem) -> Bool {
        problem.mentions("No Experiment with id", "No row was found")
    }

    /// Locks, deadlocks and lost connections, which pass.
    private static func isTransient(_ problem: MLflowProblem) -> Bool {
        problem.code == "TEMPORARILY_UNAVAILABLE"
            || problem.mentions(
                "database is locked",
                "OperationalError",
                "deadlock",
                "lock wait timeout",
                "could not serialize",
                "QueuePool limit"
            )
    }

    /// Words of the database's driver: a race between two writers, or a value that a column cannot hold.
    private static func isFromDatabase(_ problem: MLflowProblem) -> Bool {
        problem.mentions("psycopg2.", "psycopg.", "sqlite3.", "pymysql", "MySQLdb", "pyodbc")
            || problem.mentions("IntegrityError", "UniqueViolation", "autoflush")
    }

    private static func isAboutContent(_ problem: MLflowProblem) -> Bool {
        problem.mentions("too big to convert", "too large to convert", "invalid literal", "cannot contain NUL")
    }
}
