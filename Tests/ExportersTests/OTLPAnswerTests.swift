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

    static let table: [Row] = [
        Row(status: 200, outcome: .delivered),
        Row(status: 204, outcome: .delivered),
        Row(status: 201, body: "created", outcome: .delivered),
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
        Row(status: 307, headers: [HTTPHeader("location", "/x")], outcome: .parked(reason: "redirected to /x")),
        Row(
            status: 400,
            body: "\u{08}\u{03}\u{12}\u{03}bad",
            headers: [protobuf],
            outcome: .refused(status: 400, reason: "status 400: bad")
        ),
        Row(
            status: 400,
            body: #"{"message":"no \u001b[31mway\n"}"#,
            headers: [json],
            outcome: .refused(status: 400, reason: "status 400: no [31mway")
        ),
        Row(status: 401, body: #"{"detail":"who?"}"#, headers: [json], outcome: .parked(reason: "status 401: who?")),
        Row(status: 403, body: "no", outcome: .parked(reason: "status 403: no")),
        Row(status: 404, outcome: .parked(reason: "status 404")),
        Row(status: 405, outcome: .parked(reason: "status 405")),
        Row(status: 408, outcome: .retry(reason: "status 408", after: nil)),
        Row(status: 413, body: "big", outcome: .tooLarge(reason: "status 413: big")),
        Row(status: 415, outcome: .parked(reason: "status 415")),
        Row(status: 422, outcome: .refused(status: 422, reason: "status 422")),
        Row(
            status: 429,
            headers: [HTTPHeader("retry-after", "3")],
            outcome: .retry(reason: "status 429", after: .seconds(3))
        ),
        Row(status: 500, outcome: .retry(reason: "status 500", after: nil)),
        Row(status: 501, outcome: .refused(status: 501, reason: "status 501")),
        Row(status: 502, outcome: .retry(reason: "status 502", after: nil)),
        Row(
            status: 503,
            headers: [HTTPHeader("retry-after", "Sun, 22 Nov 2026 10:00:09 GMT")],
            outcome: .retry(reason: "status 503", after: .seconds(9))
        ),
        Row(status: 504, outcome: .retry(reason: "status 504", after: nil)),
        Row(
            status: 505,
            body: #"{"error":{"message":"old"}}"#,
            headers: [json],
            outcome: .refused(status: 505, reason: "status 505: old")
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
        (HTTPFailure.unreachable("refused"), DeliveryOutcome.retry(reason: "refused", after: nil)),
        (.timedOut, .retry(reason: "no answer in time", after: nil)),
        (.responseTooLarge, .refused(status: nil, reason: "the answer is over the limit of 4 MiB")),
        (.cancelled, .cancelled),
    ])
    func `each failure has its outcome`(failure: HTTPFailure, outcome: DeliveryOutcome) {
        #expect(OTLPAnswer.outcome(of: failure) == outcome)
    }

    @Test func `a long message is cut`() {
        let response = HTTPResponse(status: 400, headers: [], body: [UInt8](repeating: 65, count: 10_000))
        #expect(response.destinationMessage == String(repeating: "A", count: 300) + "…")
    }
}
