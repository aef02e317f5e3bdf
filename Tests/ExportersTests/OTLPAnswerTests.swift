import Basics
import OTLP
import Pipeline
import TestKit
import Testing

@testable import Exporters

@Suite struct OTLPAnswerTests {
    struct Row: CustomTestStringConvertible, Sendable {
        let status: Int
        var body = ""
        var headers: [HTTPHeader] = []
        let outcome: DeliveryOutcome

        var testDescription: String { "\(status) \(body)" }
    }

    private static let json = HTTPHeader("content-type", "application/json")
    private static let protobuf = HTTPHeader("content-type", "application/x-protobuf")
    private static let rejecting = #"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#

    /// A row whose body is kept as it came.
    private static func row(
        _ status: Int,
        _ body: String,
        _ headers: [HTTPHeader],
        _ outcome: (Rejection) -> DeliveryOutcome,
        _ reason: String
    ) -> Row {
        let rejection = Rejection(status: status, reason: reason, body: Array(body.utf8))
        return Row(status: status, body: body, headers: headers, outcome: outcome(rejection))
    }

    static let table: [Row] =
        taken + later + [
            Row(status: 307, headers: [HTTPHeader("location", "/x")], outcome: .parked(reason: "redirected to /x")),
            Row(status: 302, outcome: .parked(reason: "redirected to nowhere")),
            row(400, "\u{08}\u{03}\u{12}\u{03}bad", [protobuf], DeliveryOutcome.refused, "status 400: bad"),
            row(
                400,
                #"{"message":"no \u001b[31mway\n"}"#,
                [json],
                DeliveryOutcome.refused,
                "status 400: no [31mway"
            ),
            row(400, "<html>Bad Request</html>", [], DeliveryOutcome.refused, "status 400: <html>Bad Request</html>"),
            Row(
                status: 401,
                body: #"{"detail":"who?"}"#,
                headers: [json],
                outcome: .parked(reason: "status 401: who?")
            ),
            Row(status: 402, body: "quota", outcome: .parked(reason: "status 402: quota")),
            Row(status: 403, body: "no", outcome: .parked(reason: "status 403: no")),
            Row(status: 404, outcome: .parked(reason: "status 404")),
            Row(status: 405, outcome: .parked(reason: "status 405")),
            Row(status: 407, outcome: .parked(reason: "status 407")),
            row(409, "", [], DeliveryOutcome.refused, "status 409"),
            Row(status: 410, outcome: .parked(reason: "status 410")),
            row(413, "big", [], DeliveryOutcome.tooLarge, "status 413: big"),
            Row(status: 415, outcome: .parked(reason: "status 415")),
            row(422, "", [], DeliveryOutcome.refused, "status 422"),
            row(431, "", [], DeliveryOutcome.refused, "status 431"),
            row(500, "", [], DeliveryOutcome.failed, "status 500"),
            Row(status: 501, outcome: .parked(reason: "status 501")),
            row(505, #"{"error":{"message":"old"}}"#, [json], DeliveryOutcome.failed, "status 505: old"),
            row(
                520,
                "<h1>Web server is down</h1>",
                [],
                DeliveryOutcome.failed,
                "status 520: <h1>Web server is down</h1>"
            ),
        ]

    /// Delivered, as far as the destination says nothing else.
    private static let taken: [Row] = [
        Row(status: 200, outcome: .delivered),
        Row(status: 204, outcome: .delivered),
        Row(status: 201, body: "created", outcome: .delivered),
        Row(
            status: 200,
            body: "<html>OK</html>",
            headers: [HTTPHeader("content-type", "text/html")],
            outcome: .delivered
        ),
        Row(status: 200, body: "{not json", headers: [json], outcome: .delivered),
        Row(status: 200, body: "garbage", headers: [protobuf], outcome: .delivered),
        Row(status: 200, body: #"{"partialSuccess":null}"#, headers: [json], outcome: .delivered),
        Row(status: 200, body: #"{"partialSuccess":{}}"#, headers: [json], outcome: .delivered),
        Row(status: 200, body: rejecting, headers: [json], outcome: .delivered(rejected: 2, message: "too old")),
        Row(status: 200, body: rejecting, headers: [protobuf], outcome: .delivered(rejected: 2, message: "too old")),
        Row(status: 200, body: rejecting, outcome: .delivered(rejected: 2, message: "too old")),
        Row(
            status: 200,
            body: "\u{0A}\u{09}\u{08}\u{02}\u{12}\u{05}stale",
            headers: [protobuf],
            outcome: .delivered(rejected: 2, message: "stale")
        ),
    ]

    /// Answers that pass.
    private static let later: [Row] = [
        Row(status: 408, outcome: .timedOut(reason: "status 408")),
        Row(status: 504, body: "slow", outcome: .timedOut(reason: "status 504: slow")),
        Row(status: 429, outcome: .unavailable(reason: "status 429", after: nil)),
        Row(
            status: 429,
            headers: [HTTPHeader("retry-after", "3")],
            outcome: .unavailable(reason: "status 429", after: .seconds(3))
        ),
        Row(status: 502, outcome: .unavailable(reason: "status 502", after: nil)),
        Row(
            status: 503,
            headers: [HTTPHeader("retry-after", "Sun, 22 Nov 2026 10:00:09 GMT")],
            outcome: .unavailable(reason: "status 503", after: .seconds(9))
        ),
        Row(
            status: 503,
            body: "<html>nginx</html>",
            headers: [HTTPHeader("retry-after", "soon")],
            outcome: .unavailable(reason: "status 503: <html>nginx</html>", after: nil)
        ),
    ]

    /// 2026-11-22T10:00:00Z.
    private let now = UnixTime(nanoseconds: 1_795_341_600_000_000_000)

    @Test(arguments: table)
    func `each answer has its outcome`(row: Row) {
        let response = HTTPResponse(status: row.status, headers: row.headers, body: Array(row.body.utf8))
        #expect(OTLPAnswer.outcome(of: response, signal: .traces, now: now) == row.outcome)
    }

    @Test(arguments: [
        (
            HTTPFailure.noCredentials("no token", after: .seconds(3)),
            DeliveryOutcome.unavailable(reason: "no token", after: .seconds(3))
        ),
        (.unreachable("refused"), .unavailable(reason: "refused", after: nil)),
        (.unsendable("too long"), .unsendable(reason: "the request cannot be sent: too long")),
        (.timedOut, .timedOut(reason: "no answer in time")),
        (.responseTooLarge, .refused(Rejection(status: nil, reason: "the answer is over the limit of 4 MiB"))),
        (.cancelled, .cancelled),
    ])
    func `each failure has its outcome`(failure: HTTPFailure, outcome: DeliveryOutcome) {
        #expect(OTLPAnswer.outcome(of: failure) == outcome)
    }

    @Test func `an answer of 10,000 bytes is kept to its first 4 KiB`() {
        let response = HTTPResponse(status: 400, headers: [], body: [UInt8](repeating: 65, count: 10_000))
        guard case .refused(let rejection) = OTLPAnswer.outcome(of: response, signal: .traces, now: now) else {
            Issue.record("not refused")
            return
        }
        #expect(rejection.body == [UInt8](repeating: 65, count: 4096))
    }

    @Test func `a long message is cut`() {
        let response = HTTPResponse(status: 400, headers: [], body: [UInt8](repeating: 65, count: 10_000))
        #expect(response.destinationMessage == String(repeating: "A", count: 300) + "…")
    }
}
