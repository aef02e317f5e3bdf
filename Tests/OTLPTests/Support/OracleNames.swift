import Foundation
import Oracle
import SwiftProtobuf

// The generated messages under the names of the specification.
typealias Request = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest
typealias Response = Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceResponse
typealias ResourceSpans = Opentelemetry_Proto_Trace_V1_ResourceSpans
typealias ScopeSpans = Opentelemetry_Proto_Trace_V1_ScopeSpans
typealias Span = Opentelemetry_Proto_Trace_V1_Span
typealias SpanStatus = Opentelemetry_Proto_Trace_V1_Status
typealias Resource = Opentelemetry_Proto_Resource_V1_Resource
typealias Scope = Opentelemetry_Proto_Common_V1_InstrumentationScope
typealias KeyValue = Opentelemetry_Proto_Common_V1_KeyValue
typealias AnyValue = Opentelemetry_Proto_Common_V1_AnyValue

extension SwiftProtobuf.Message {
    /// The wire form.
    var wire: [UInt8] {
        get throws { Array(try serializedData()) }
    }

    init(wire: [UInt8]) throws {
        try self.init(serializedBytes: wire)
    }
}

extension KeyValue {
    init(_ key: String, _ value: AnyValue.OneOf_Value?) {
        self.init()
        self.key = key
        if let value { self.value.value = value } else { self.value = AnyValue() }
    }
}
