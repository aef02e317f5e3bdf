/// Where in a request a text stands; the raw value is its name in metrics.
package enum TextPlace: String, CaseIterable, Sendable {
    case spanName = "span_name"
    /// Attributes of spans and log records.
    case attribute
    /// Names and attributes of events.
    case event
    case link
    case status
    /// Attributes, entities and the schema of a resource.
    case resource
    /// Name, version, attributes and schema of a scope.
    case scope
    /// Bodies of log records.
    case body
    /// `severity_text` of log records.
    case severity
    /// Name, description, unit and metadata of metrics.
    case metric
    /// Attributes of data points.
    case datapoint
    /// Attributes of exemplars.
    case exemplar

    /// That of a message's texts; nil for one that has none of its own.
    init?(in message: MessageType) {
        switch message {
        case .resource, .resourceSpans, .resourceLogs, .resourceMetrics, .tracesRequest, .logsRequest,
            .metricsRequest, .entityReference:
            self = .resource
        case .scope, .scopeSpans, .scopeLogs, .scopeMetrics: self = .scope
        case .span, .logRecord: self = .attribute
        case .event: self = .event
        case .link: self = .link
        case .status: self = .status
        case .metric, .gauge, .sum, .histogram, .exponentialHistogram, .summary: self = .metric
        case .numberDataPoint, .histogramDataPoint, .exponentialHistogramDataPoint, .summaryDataPoint:
            self = .datapoint
        case .exemplar: self = .exemplar
        case .anyValue, .arrayValue, .keyValueList, .keyValue, .buckets, .valueAtQuantile: return nil
        }
    }

    /// That of one field of a message; nil for one that has none of its own.
    init?(of field: Int, in message: MessageType) {
        switch (message, field) {
        case (.span, 5): self = .spanName
        case (.logRecord, 3): self = .severity
        case (.logRecord, 5): self = .body
        case (.logRecord, 12): self = .event
        default: return nil
        }
    }
}

/// Where one text of a request stands.
package struct TextSite: Sendable {
    /// Where it stands.
    package var place: TextPlace
    /// The number of the unit that it is in; -1 for what several have in common.
    package var unit = -1
    /// The bytes of the innermost key that it stands under; empty for what stands under none.
    package var key = 0..<0
}
