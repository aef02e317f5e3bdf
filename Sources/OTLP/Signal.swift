/// A kind of telemetry.
///
/// What differs between the kinds is data here, so that no code is written once for each.
package enum Signal: UInt8, Sendable, Hashable, CaseIterable {
    // The raw values stand in the journal.
    case traces = 1
    case metrics = 2
    case logs = 3

    /// The name in pipeline files, paths and metrics.
    package var name: String {
        switch self {
        case .traces: "traces"
        case .metrics: "metrics"
        case .logs: "logs"
        }
    }

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

    /// The path of OTLP/HTTP (protocol section "OTLP/HTTP Request").
    package var defaultPath: String { "/v1/\(name)" }
}
