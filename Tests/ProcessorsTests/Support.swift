import Basics
import Conditions
import MLflow
import OTLP
import Pipeline
import TestKit

@testable import Processors

/// One request on its way, as it is after the index.
func work(
    _ spans: TestSpan...,
    resource: KeyValuePairs<String, TestValue> = ["service.name": "shop"],
    headers: [HTTPHeader] = [],
    identity: String? = nil,
    at seconds: UInt64 = 1000
) throws -> SpanWork {
    try work(spans, resource: resource, headers: headers, identity: identity, at: seconds)
}

func work(
    _ spans: [TestSpan],
    resource: KeyValuePairs<String, TestValue> = ["service.name": "shop"],
    headers: [HTTPHeader] = [],
    identity: String? = nil,
    at seconds: UInt64 = 1000
) throws -> SpanWork {
    SpanWork(
        batch: try SpanBatch(tracesRequest(spans, resource: resource, scope: "tests.scope")),
        source: RequestSource(receiver: "otlp", headers: headers, identity: identity.map { Identity($0) }),
        receivedAt: UnixTime(nanoseconds: seconds * 1_000_000_000)
    )
}

func condition(_ text: String) throws -> Condition {
    try Condition(decoding: try JSONNode(parsing: Array(text.utf8)))
}

extension SpanWork {
    /// The `tracestate` that each span leaves with.
    func traceStates() throws -> [String] {
        guard let encoded = batch.encoded() else { return [] }
        let out = try SpanBatch(encoded.payload)
        return out.spans.map { out.text($0.traceState) }
    }

    /// The route of each span.
    func routeOfSpans() -> [Route] { batch.spans.indices.map { routes[Int(batch.group(of: $0))] } }
}
