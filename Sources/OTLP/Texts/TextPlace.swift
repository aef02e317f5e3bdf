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

    /// That of a message's texts; `around` for one that has none of its own.
    init(in message: MessageType, around: TextPlace) {
        self =
            switch message {
            case .resource, .resourceSpans, .resourceLogs, .resourceMetrics, .tracesRequest, .logsRequest,
                .metricsRequest, .entityReference:
                .resource
            case .scope, .scopeSpans, .scopeLogs, .scopeMetrics: .scope
            case .span, .logRecord: .attribute
            case .event: .event
            case .link: .link
            case .status: .status
            case .metric, .gauge, .sum, .histogram, .exponentialHistogram, .summary: .metric
            case .numberDataPoint, .histogramDataPoint, .exponentialHistogramDataPoint, .summaryDataPoint: .datapoint
            case .exemplar: .exemplar
            case .anyValue, .arrayValue, .keyValueList, .keyValue, .buckets, .valueAtQuantile: around
            }
    }

    /// That of one field of a message; `around` for one that has none of its own.
    init(of field: Int, in message: MessageType, around: TextPlace) {
        self =
            switch (message, field) {
            case (.span, 5): .spanName
            case (.logRecord, 3): .severity
            case (.logRecord, 5): .body
            case (.logRecord, 12): .event
            default: around
            }
    }
}

/// One text of a request, for who may replace it.
package struct TextSite: Sendable {
    /// Where it stands.
    package var place: TextPlace
    /// The number of the unit that it is in; -1 for what several have in common.
    package var unit = -1
    /// The bytes of the innermost key that it stands under; nil for one that is no value, and for keys.
    package var key: Range<Int>?
}

/// What may replace the texts of a request.
package protocol TextVisitor {
    /// What comes in the place of the UTF-8 (or whatever a bytes value holds) in `range` of `body`; nil for a text that stays.
    mutating func replacement(for range: Range<Int>, of body: RawSpan, at site: TextSite) -> [UInt8]?
    /// The text that comes in the place of a whole value, whatever its kind; `site` has its key, `value` is the `AnyValue`
    /// message in `range` of `body`. Nil for one whose texts are asked for by themselves.
    mutating func replacement(forValue range: Range<Int>, of body: RawSpan, at site: TextSite) -> [UInt8]?
    /// Whether nothing more is to be replaced, because it is too much.
    var isOver: Bool { get }
}
