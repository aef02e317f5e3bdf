import Basics
import OTLP
import TestKit

@testable import MLflow

enum TestRules {
    static let all = Result { try MappingRules() }
}

/// Maps a request with all conventions and reads what would reach MLflow.
func map(_ bytes: [UInt8], _ settings: SpanMapper.Settings = .init()) throws -> [ReadSpan] {
    var batch = try SpanBatch(bytes)
    var mapper = SpanMapper(rules: try TestRules.all.get(), settings: settings)
    _ = mapper.map(&batch)
    return try readSpans(batch.encoded()?.payload ?? [])
}

/// Maps these spans, of no service.
func map(_ spans: TestSpan..., settings: SpanMapper.Settings = .init()) throws -> [ReadSpan] {
    try map(tracesRequest(spans, resource: []), settings)
}

/// Maps a request within a budget, the default one for its size where there is none, and says what it cost.
func mapCounting(
    _ bytes: [UInt8],
    rules: MappingRules? = nil,
    within budget: MappingBudget? = nil
) throws -> (payload: [UInt8], outcome: MappingOutcome) {
    var batch = try SpanBatch(bytes)
    var mapper = SpanMapper(rules: try rules ?? TestRules.all.get())
    let outcome = mapper.map(&batch, within: budget)
    return (batch.encoded()?.payload ?? [], outcome)
}

/// The rules with a document of a user.
func rules(_ text: String) throws -> MappingRules {
    try MappingRules(user: [try RuleDocument(userRules: try JSONNode(parsing: Array(text.utf8)))])
}

/// Maps one span that is no root, with these attributes.
func mapChild(_ attributes: KeyValuePairs<String, TestValue>) throws -> ReadSpan {
    try map(TestSpan(id: 2, parent: 1, attributes))[0]
}

/// The request that leaves, in wire form.
func mappedBytes(_ bytes: [UInt8]) throws -> [UInt8] {
    var batch = try SpanBatch(bytes)
    var mapper = SpanMapper(rules: try TestRules.all.get())
    _ = mapper.map(&batch)
    return batch.encoded()?.payload ?? []
}

extension SpanBatch {
    /// One request with these spans, of no service.
    static func of(_ spans: TestSpan...) throws -> SpanBatch { try SpanBatch(tracesRequest(spans, resource: [])) }
}
