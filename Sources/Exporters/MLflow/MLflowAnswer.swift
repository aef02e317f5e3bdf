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
    /// A proxy found no server behind it: the next one may be of another version, with another database.
    case serverGone(reason: String, after: Duration?)

    init(_ response: HTTPResponse, now: UnixTime) {
        let problem = MLflowProblem(response)
        let reason = "status \(response.status): \(problem.message)"
        let rejection = Rejection(status: response.status, reason: reason, body: response.body)
        let pause = response.retryAfter(now: now)
        switch response.status {
        case 200..<300: self = .outcome(Self.success(response, problem))
        case 300..<400:
            let target = (response.header("location") ?? "nowhere").excerpt()
            self = .outcome(.parked(reason: "redirected to \(target)"))
        case 502 where !problem.isFromMLflow, 503 where !problem.isFromMLflow:
            self = .serverGone(reason: reason, after: pause)
        case 429, 502, 503: self = .outcome(.unavailable(reason: reason, after: pause))
        case 408, 504: self = .outcome(.timedOut(reason: reason))
        case 413: self = .outcome(.tooLarge(rejection))
        case 404: self = Self.notFound(problem, rejection)
        case 400, 422: self = Self.unprocessable(problem, rejection)
        case 501: self = .outcome(.parked(reason: "\(reason) (a file store keeps no OTLP traces)"))
        case 401...403, 405, 407, 410, 415: self = .outcome(.parked(reason: reason))
        // MLflow says so of archived traces alone, and says it for ever.
        case 500 where problem.code == "INVALID_STATE": self = .outcome(.refused(rejection))
        // A time over 2^63 among them: only who else gets through tells whose fault it is.
        case 500...: self = .outcome(.failed(rejection))
        default: self = .outcome(.refused(rejection))
        }
    }

    /// MLflow answers nothing or `partialSuccess`; who logs in at a page would lose the spans.
    private static func success(_ response: HTTPResponse, _ problem: MLflowProblem) -> DeliveryOutcome {
        problem.isPage ? .parked(reason: response.mask(notMLflow(problem))) : OTLPAnswer.success(response, .traces)
    }

    private static func notFound(_ problem: MLflowProblem, _ rejection: Rejection) -> MLflowAnswer {
        // A trace that is removed while its spans are written.
        guard !problem.mentions("traces that no longer exist") else { return .outcome(.failed(rejection)) }
        guard !namesMissingExperiment(problem), problem.code != "RESOURCE_DOES_NOT_EXIST" else {
            return .experimentGone(reason: rejection.reason)
        }
        return .outcome(.parked(reason: "\(rejection.reason) (OTLP needs MLflow 3.6 or later)"))
    }

    private static func unprocessable(_ problem: MLflowProblem, _ rejection: Rejection) -> MLflowAnswer {
        if problem.isPage { return .outcome(.parked(reason: notMLflow(problem))) }
        if namesMissingExperiment(problem) { return .experimentGone(reason: rejection.reason) }
        if problem.isTransient { return .outcome(.unavailable(reason: rejection.reason, after: nil)) }
        if problem.mentions("Invalid experiment ID") { return .outcome(.parked(reason: rejection.reason)) }
        let isUnexplained = problem.isFromDatabase || problem.mentions("Failed to log OpenTelemetry spans")
        // 3.6.0 names what it failed on; 3.17.2 says only that it failed.
        return .outcome(isUnexplained && !isAboutContent(problem) ? .failed(rejection) : .refused(rejection))
    }

    private static func notMLflow(_ problem: MLflowProblem) -> String {
        "the answer is a page and not MLflow's: \(problem.message)"
    }

    private static func namesMissingExperiment(_ problem: MLflowProblem) -> Bool {
        problem.mentions("No Experiment with id", "No row was found")
    }

    /// A value that the server or a column of its database cannot hold.
    private static func isAboutContent(_ problem: MLflowProblem) -> Bool {
        problem.mentions("too big to convert", "too large to convert", "invalid literal", "cannot contain NUL")
            || problem.mentions("StringDataRightTruncation", "NumericValueOutOfRange", "DataError", "Data too long")
    }
}
