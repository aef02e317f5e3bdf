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
typealias LogsRequest = Opentelemetry_Proto_Collector_Logs_V1_ExportLogsServiceRequest
typealias ResourceLogs = Opentelemetry_Proto_Logs_V1_ResourceLogs
typealias ScopeLogs = Opentelemetry_Proto_Logs_V1_ScopeLogs
typealias LogRecord = Opentelemetry_Proto_Logs_V1_LogRecord
typealias MetricsRequest = Opentelemetry_Proto_Collector_Metrics_V1_ExportMetricsServiceRequest
typealias ResourceMetrics = Opentelemetry_Proto_Metrics_V1_ResourceMetrics
typealias ScopeMetrics = Opentelemetry_Proto_Metrics_V1_ScopeMetrics
typealias Metric = Opentelemetry_Proto_Metrics_V1_Metric
typealias NumberDataPoint = Opentelemetry_Proto_Metrics_V1_NumberDataPoint
typealias HistogramDataPoint = Opentelemetry_Proto_Metrics_V1_HistogramDataPoint
typealias ExponentialDataPoint = Opentelemetry_Proto_Metrics_V1_ExponentialHistogramDataPoint
typealias SummaryDataPoint = Opentelemetry_Proto_Metrics_V1_SummaryDataPoint
typealias Exemplar = Opentelemetry_Proto_Metrics_V1_Exemplar
typealias Temporality = Opentelemetry_Proto_Metrics_V1_AggregationTemporality
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
