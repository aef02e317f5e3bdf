/// A kind of telemetry.
///
/// What differs between the kinds is data here, so that no code is written once for each. What is counted are the items of a
/// signal: spans, data points, log records. What is kept, removed, routed and divided as one is a unit: a span, a metric with its
/// data points, a log record.
package enum Signal: UInt8, Sendable, Hashable, CaseIterable {
    // The raw values stand in the journal.
    case traces = 1
    case metrics = 2
    case logs = 3

    /// The position in `allCases`.
    package var index: Int { Int(rawValue) - 1 }

    /// The name in pipeline files, paths and metrics.
    package var name: String {
        switch self {
        case .traces: "traces"
        case .metrics: "metrics"
        case .logs: "logs"
        }
    }

    /// Several items, in names of metrics and members of JSON.
    package var itemsName: String { items.replacing(" ", with: "_") }

    /// Several items, in texts for people.
    package var items: String {
        switch self {
        case .traces: "spans"
        case .metrics: "data points"
        case .logs: "log records"
        }
    }

    /// One unit, in texts for people.
    package var unit: String {
        switch self {
        case .traces: "span"
        case .metrics: "metric"
        case .logs: "log record"
        }
    }

    /// Several units, in texts for people.
    package var units: String { "\(unit)s" }

    /// The one member of its requests in JSON.
    var requestMember: String {
        switch self {
        case .traces: "resourceSpans"
        case .metrics: "resourceMetrics"
        case .logs: "resourceLogs"
        }
    }

    /// The same in snake case, as some clients write it.
    var snakeCaseMember: String { requestMember.replacing("resource", with: "resource_").lowercased() }

    /// The tags of a unit's ids and attributes (opentelemetry-proto 1.11); 0 where it has no such field.
    ///
    /// Those of a metric are its `metadata`.
    var unitTags: (traceID: UInt32, spanID: UInt32, attributes: UInt32) {
        switch self {
        case .traces: (0x0A, 0x12, 0x4A)
        case .metrics: (0, 0, 0x62)
        case .logs: (0x4A, 0x52, 0x32)
        }
    }

    /// The path of OTLP/HTTP (protocol section "OTLP/HTTP Request").
    package var defaultPath: String { "/v1/\(name)" }

    /// The gRPC service that takes it (protocol section "OTLP/gRPC").
    package var serviceName: String {
        switch self {
        case .traces: "opentelemetry.proto.collector.trace.v1.TraceService"
        case .metrics: "opentelemetry.proto.collector.metrics.v1.MetricsService"
        case .logs: "opentelemetry.proto.collector.logs.v1.LogsService"
        }
    }

    /// The path of its one method over gRPC.
    package var grpcPath: String { "/\(serviceName)/Export" }
}
