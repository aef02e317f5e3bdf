import Basics
import MLflow
import Pipeline
import TestKit
import Testing

@testable import Exporters

@Suite struct MLflowAnswerTests {
    enum Verdict: Sendable {
        case delivered, unavailable, timedOut, failed, tooLarge, refused, parked, experimentGone, serverGone
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let status: Int
        let body: String
        let verdict: Verdict
        var testDescription: String { "\(status) \(body)" }

        init(_ status: Int, _ body: String, _ verdict: Verdict) {
            self.status = status
            self.body = body
            self.verdict = verdict
        }

        /// An answer of MLflow's store.
        init(_ status: Int, _ code: String, _ message: String, _ verdict: Verdict) {
            self.init(status, #"{"error_code":"\#(code)","message":"\#(message)"}"#, verdict)
        }

        /// An answer of MLflow's OTLP endpoint.
        static func detail(_ status: Int, _ detail: String, _ verdict: Verdict) -> Row {
            Row(status, #"{"detail":"\#(detail)"}"#, verdict)
        }

        /// The answer of 3.6.0, which names what a trace failed on.
        static func oldFailure(_ reason: String, _ verdict: Verdict) -> Row {
            .detail(422, "Failed to log OpenTelemetry spans: Trace tr-b2: \(reason)", verdict)
        }
    }

    /// Bodies as MLflow 3.6.0 and 3.17.2 write them.
    static let table =
        taken + experiments + database + content + proxies + [
            Row(401, "You are not authenticated", .parked),
            Row(403, "Permission denied", .parked),
            Row(403, "Invalid Host header - possible DNS rebinding attack detected", .parked),
            Row(403, "<html>blocked</html>", .parked),
            Row(404, "<!doctype html> <title>404 Not Found</title>", .parked),
            Row(405, "", .parked),
            Row(407, "", .parked),
            Row(415, "", .parked),
            .detail(501, "REST OTLP span logging is not supported by FileStore", .parked),
            Row(408, "", .timedOut),
            Row(418, "", .refused),
            Row(429, "", .unavailable),
            Row(500, "Internal Server Error", .failed),
            Row(505, "", .failed),
        ]

    private static let taken = [
        Row(200, "", .delivered),
        Row(200, #"{"partialSuccess":null}"#, .delivered),
        Row(202, "", .delivered),
        Row(200, "<!DOCTYPE html><title>Log in</title>", .parked),
        Row(200, "\r\n <html>", .parked),
        Row(302, "", .parked),
        Row(308, "", .parked),
    ]

    private static let experiments = [
        Row(404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=9 exists", .experimentGone),
        .oldFailure("No Experiment with id=9 exists", .experimentGone),
        .oldFailure("No row was found when one was required", .experimentGone),
        Row(400, "BAD_REQUEST", "No row was found when one was required", .experimentGone),
        Row(404, "RESOURCE_DOES_NOT_EXIST", "Cannot log spans to traces that no longer exist: 'tr-1'.", .failed),
        Row(400, "INVALID_PARAMETER_VALUE", "Invalid experiment ID 'abc'. Experiment ID must be a valid", .parked),
        Row(422, #"{"detail":[{"type":"missing","msg":"Field required"}]}"#, .refused),
    ]

    private static let database = [
        Row(503, "TEMPORARILY_UNAVAILABLE", "(sqlite3.OperationalError) database is locked", .unavailable),
        .oldFailure("(sqlite3.OperationalError) database is locked", .unavailable),
        .oldFailure("(psycopg2.OperationalError) server closed the connection unexpectedly", .unavailable),
        Row(400, "BAD_REQUEST", "(psycopg2.errors.DeadlockDetected) deadlock detected", .unavailable),
        Row(400, "BAD_REQUEST", "(psycopg2.errors.SerializationFailure) could not serialize access", .unavailable),
        Row(400, "BAD_REQUEST", "QueuePool limit of size 5 overflow 10 reached", .unavailable),
        Row(400, "BAD_REQUEST", "(pymysql.err.InternalError) Lock wait timeout exceeded", .unavailable),
        Row(400, "BAD_REQUEST", "(psycopg2.errors.UniqueViolation) duplicate key value", .failed),
        Row(400, "BAD_REQUEST", "(raised as a result of Query-invoked autoflush)", .failed),
        Row(400, "BAD_REQUEST", "(psycopg2.errors.X) no [SQL: INSERT ? [parameters: 'deadlock']]", .failed),
        Row(400, "BAD_REQUEST", "(psycopg2.errors.StringDataRightTruncation) value too long for type", .refused),
        Row(400, "BAD_REQUEST", "(pymysql.err.DataError) (1406, Data too long for column 'value')", .refused),
    ]

    private static let content = [
        .detail(422, "Failed to log OpenTelemetry spans", .failed),
        .oldFailure("int too big to convert", .refused),
        .oldFailure("invalid literal for int() with base 10", .refused),
        .oldFailure("A string literal cannot contain NUL (0x00) characters.", .refused),
        .oldFailure("'str' object has no attribute 'get'", .failed),
        .detail(422, "Cannot convert OpenTelemetry span to MLflow span", .refused),
        .detail(400, "Invalid OpenTelemetry format", .refused),
        .detail(400, "Invalid OpenTelemetry protobuf format", .refused),
        .detail(400, "Unsupported Content-Encoding: zstd", .refused),
        Row(400, "INVALID_PARAMETER_VALUE", "'value' exceeds the maximum length of 250", .refused),
        Row(500, "INTERNAL_ERROR", "Python int too large to convert to SQLite INTEGER", .failed),
        Row(500, "INVALID_STATE", "Cannot log spans to archived traces: 'tr-1'.", .refused),
    ]

    private static let proxies = [
        Row(400, "<html>The plain HTTP request was sent to HTTPS port</html>", .parked),
        Row(413, "<html>413 Request Entity Too Large</html>", .tooLarge),
        Row(422, "<html></html>", .parked),
        Row(500, "<html>500 Internal Server Error</html>", .failed),
        Row(502, "<html>502 Bad Gateway</html>", .serverGone),
        Row(503, "<html>503 Service Temporarily Unavailable</html>", .serverGone),
        Row(503, "no healthy upstream", .serverGone),
        Row(504, "<html>504 Gateway Time-out</html>", .timedOut),
    ]

    @Test(arguments: table)
    func `each answer has its verdict`(row: Row) {
        let response = HTTPResponse(status: row.status, headers: [], body: Array(row.body.utf8))
        #expect(Verdict(MLflowAnswer(response, now: UnixTime(nanoseconds: 0))) == row.verdict)
    }

    @Test(arguments: [429, 503])
    func `a pause is honoured`(status: Int) {
        let body = Array(#"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"busy"}"#.utf8)
        let response = HTTPResponse(status: status, headers: [HTTPHeader("retry-after", "4")], body: body)
        let answer = MLflowAnswer(response, now: UnixTime(nanoseconds: 0))
        #expect(answer == .outcome(.unavailable(reason: "status \(status): busy", after: .seconds(4))))
    }

    @Test func `a rejection keeps the server's own words`() {
        let body = #"{"detail":"Invalid OpenTelemetry format"}"#
        let response = HTTPResponse(status: 400, headers: [], body: Array(body.utf8))
        let rejection = Rejection(
            status: 400,
            reason: "status 400: Invalid OpenTelemetry format",
            body: Array(body.utf8)
        )
        #expect(MLflowAnswer(response, now: UnixTime(nanoseconds: 0)) == .outcome(.refused(rejection)))
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
}

extension MLflowAnswerTests.Verdict {
    init?(_ answer: MLflowAnswer) {
        switch answer {
        case .experimentGone: self = .experimentGone
        case .serverGone: self = .serverGone
        case .outcome(.delivered): self = .delivered
        case .outcome(.unavailable): self = .unavailable
        case .outcome(.timedOut): self = .timedOut
        case .outcome(.failed): self = .failed
        case .outcome(.tooLarge): self = .tooLarge
        case .outcome(.refused): self = .refused
        case .outcome(.parked): self = .parked
        case .outcome(.cancelled), .outcome(.unsendable): return nil
        }
    }
}
