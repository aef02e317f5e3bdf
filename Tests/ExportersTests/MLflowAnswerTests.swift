import Basics
import MLflow
import Pipeline
import TestKit
import Testing

@testable import Exporters

@Suite struct MLflowAnswerTests {
    enum Verdict: Sendable {
        case delivered, retry, tooLarge, parked, refused, gone, doubtful
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let status: Int
        let body: String
        let verdict: Verdict
        var testDescription: String { "\(status) \(body)" }
    }

    private static let failed = "Failed to log OpenTelemetry spans"

    /// Bodies as MLflow 3.6.0 and 3.17.2 write them.
    static let table: [Row] = [
        Row(status: 200, body: "", verdict: .delivered),
        Row(status: 200, body: #"{"partialSuccess":null}"#, verdict: .delivered),
        Row(
            status: 503,
            body: #"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"(sqlite3.OperationalError)"}"#,
            verdict: .retry
        ),
        Row(status: 502, body: "<html>Bad Gateway</html>", verdict: .retry),
        Row(status: 504, body: "", verdict: .retry),
        Row(status: 429, body: "", verdict: .retry),
        Row(status: 413, body: "<html>too large</html>", verdict: .tooLarge),
        Row(status: 401, body: "You are not authenticated", verdict: .parked),
        Row(status: 403, body: "Invalid Host header - possible DNS rebinding attack detected", verdict: .parked),
        Row(
            status: 404,
            body: #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No Experiment with id=9 exists"}"#,
            verdict: .gone
        ),
        Row(status: 404, body: "<!doctype html> <title>404 Not Found</title>", verdict: .parked),
        Row(
            status: 422,
            body: #"{"detail":"\#(failed): Trace tr-b2: No Experiment with id=9 exists"}"#,
            verdict: .gone
        ),
        Row(
            status: 422,
            body: #"{"detail":"\#(failed): Trace tr-48: No row was found when one was required"}"#,
            verdict: .gone
        ),
        Row(
            status: 400,
            body: #"{"error_code":"BAD_REQUEST","message":"No row was found when one was required"}"#,
            verdict: .gone
        ),
        Row(
            status: 422,
            body: #"{"detail":"\#(failed): Trace tr-1: (sqlite3.OperationalError) database is locked"}"#,
            verdict: .retry
        ),
        Row(status: 422, body: #"{"detail":"\#(failed)"}"#, verdict: .doubtful),
        Row(status: 422, body: #"{"detail":"\#(failed): Trace tr-1: int too big to convert"}"#, verdict: .refused),
        Row(
            status: 422,
            body: #"{"detail":"\#(failed): Trace tr-9: invalid literal for int() with base 10"}"#,
            verdict: .refused
        ),
        Row(status: 422, body: #"{"detail":"Cannot convert OpenTelemetry span to MLflow span"}"#, verdict: .refused),
        Row(status: 422, body: #"{"detail":[{"type":"missing","msg":"Field required"}]}"#, verdict: .refused),
        Row(status: 400, body: #"{"detail":"Invalid OpenTelemetry format"}"#, verdict: .refused),
        Row(status: 400, body: #"{"detail":"Invalid OpenTelemetry protobuf format"}"#, verdict: .refused),
        Row(
            status: 400,
            body: #"{"error_code":"BAD_REQUEST","message":"(psycopg2.errors.UniqueViolation) duplicate key value"}"#,
            verdict: .doubtful
        ),
        Row(
            status: 400,
            body: #"{"error_code":"BAD_REQUEST","message":"(psycopg2.errors.DeadlockDetected) deadlock detected"}"#,
            verdict: .retry
        ),
        Row(
            status: 400,
            body: #"{"error_code":"INVALID_PARAMETER_VALUE","message":"Invalid experiment ID 'abc'."}"#,
            verdict: .parked
        ),
        Row(
            status: 400,
            body: #"{"error_code":"INVALID_PARAMETER_VALUE","message":"session too long"}"#,
            verdict: .refused
        ),
        Row(status: 500, body: "Internal Server Error", verdict: .retry),
        Row(
            status: 500,
            body: #"{"error_code":"INTERNAL_ERROR","message":"Python int too large to convert"}"#,
            verdict: .refused
        ),
        Row(status: 500, body: #"{"error_code":"INVALID_STATE","message":"the trace is archived"}"#, verdict: .refused),
        Row(status: 501, body: #"{"detail":"not supported by the file store"}"#, verdict: .parked),
        Row(status: 308, body: "", verdict: .parked),
        Row(status: 418, body: "", verdict: .refused),
    ]

    @Test(arguments: table)
    func `each answer has its verdict`(row: Row) {
        let response = HTTPResponse(status: row.status, headers: [], body: Array(row.body.utf8))
        #expect(Verdict(MLflowAnswer(response, now: UnixTime(nanoseconds: 0))) == row.verdict)
    }

    @Test func `a pause is honoured`() {
        let response = HTTPResponse(status: 503, headers: [HTTPHeader("retry-after", "4")], body: [])
        let answer = MLflowAnswer(response, now: UnixTime(nanoseconds: 0))
        #expect(answer == .outcome(.retry(reason: "status 503: no message", after: .seconds(4))))
    }

    @Test(arguments: [
        ("3.6.0", false), ("3.7.0", true), ("3.17.2", true), ("3.7.0rc1", true), ("2.22.1", false), ("4.0.0", true),
    ])
    func `versions compare by number`(text: String, takesGzip: Bool) throws {
        #expect((try #require(MLflowVersion(text: text)) >= .firstWithGzip) == takesGzip)
    }

    @Test(arguments: ["", "3", "<html>", "3.x.1", "v3.7.0"])
    func `other texts are no version`(text: String) {
        #expect(MLflowVersion(text: text) == nil)
    }

    @Test func `patience ends after a few failures of the same batch`() {
        let patience = Patience()
        #expect(patience.lasts([1]))
        #expect(patience.lasts([2]))
        #expect(patience.lasts([1]))
        #expect(!patience.lasts([1]))
        #expect(patience.lasts([1]))
        #expect(patience.lasts([2]))
    }
}

extension MLflowAnswerTests.Verdict {
    init(_ answer: MLflowAnswer) {
        switch answer {
        case .experimentGone: self = .gone
        case .doubtful: self = .doubtful
        case .outcome(.delivered): self = .delivered
        case .outcome(.retry): self = .retry
        case .outcome(.tooLarge): self = .tooLarge
        case .outcome(.parked): self = .parked
        case .outcome(.refused), .outcome(.cancelled): self = .refused
        }
    }
}
