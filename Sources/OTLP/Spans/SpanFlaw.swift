package import Basics

/// Why one span, log record or metric is invalid although the request can be read.
@usableFromInline
package enum SpanFlaw: UInt8, BitwiseCopyable, Sendable, Hashable, CaseIterable {
    case traceIDLength
    case traceIDZero
    case spanIDLength
    case spanIDZero
    case parentIDLength
    case linkTraceID
    case linkSpanID
    case optionalTraceIDLength
    case optionalSpanIDLength
    case text
    case nesting
    case wireType
    /// Something is wrong with the resource that it belongs to.
    case resource
    /// Something is wrong with the instrumentation scope that it belongs to.
    case scope
}

extension SpanFlaw: CustomStringConvertible {
    /// For the client's partial success.
    @usableFromInline package var description: String {
        switch self {
        case .traceIDLength: "trace_id is not 16 bytes long"
        case .traceIDZero: "trace_id is all zero"
        case .spanIDLength: "span_id is not 8 bytes long"
        case .spanIDZero: "span_id is all zero"
        case .parentIDLength: "parent_span_id is neither empty nor 8 bytes long"
        case .linkTraceID: "the trace_id of a link is not 16 bytes, or all zero"
        case .linkSpanID: "the span_id of a link is not 8 bytes, or all zero"
        case .optionalTraceIDLength: "trace_id is neither empty nor 16 bytes long"
        case .optionalSpanIDLength: "span_id is neither empty nor 8 bytes long"
        case .text: "a string is not valid UTF-8"
        case .nesting: "an attribute value is nested too deep"
        case .wireType: "a field has another type than OTLP gives it"
        case .resource: "the resource has an attribute that is invalid"
        case .scope: "the instrumentation scope has a field that is invalid"
        }
    }
}

/// Why a unit leaves a batch; in the order of the pipeline, so that the first reason counts.
@usableFromInline
package enum Removal: UInt8, Sendable, Hashable, CaseIterable {
    /// It has a `SpanFlaw`.
    case invalid = 1
    /// A filter dropped it.
    case filtered = 2
    /// Sampling did not choose it.
    case sampledOut = 3

    /// What it counts as in the ledger; nil for a span that is not accepted.
    package var outcome: Outcome? {
        switch self {
        case .invalid: nil
        case .filtered: .filtered
        case .sampledOut: .sampledOut
        }
    }

    /// What the pipeline file calls it.
    package var word: String { outcome?.word ?? "invalid" }
}
