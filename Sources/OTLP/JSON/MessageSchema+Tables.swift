extension MessageSchema {
    /// The tables, by raw value of `MessageType`.
    static let all: [MessageSchema] = MessageType.allCases.map(table)

    private static func table(_ type: MessageType) -> MessageSchema {
        switch type {
        case .anyValue, .arrayValue, .keyValueList, .keyValue: value(type)
        case .scope, .resource, .entityReference: origin(type)
        case .tracesRequest: request("resourceSpans", .resourceSpans)
        case .resourceSpans: resourceGroup("scopeSpans", .scopeSpans)
        case .scopeSpans: scopeGroup("spans", .span)
        case .span, .event, .link, .status: trace(type)
        case .logsRequest: request("resourceLogs", .resourceLogs)
        case .resourceLogs: resourceGroup("scopeLogs", .scopeLogs)
        case .scopeLogs: scopeGroup("logRecords", .logRecord)
        case .logRecord: logRecord
        case .metricsRequest: request("resourceMetrics", .resourceMetrics)
        case .resourceMetrics: resourceGroup("scopeMetrics", .scopeMetrics)
        case .scopeMetrics: scopeGroup("metrics", .metric)
        case .metric: metric
        case .gauge, .sum, .histogram, .exponentialHistogram, .summary: metricData(type)
        case .numberDataPoint: numberDataPoint
        case .histogramDataPoint: histogramDataPoint
        case .exponentialHistogramDataPoint: exponentialHistogramDataPoint
        case .summaryDataPoint: summaryDataPoint
        case .buckets, .valueAtQuantile, .exemplar: measurement(type)
        }
    }

    /// `Export…ServiceRequest`.
    private static func request(_ groups: StaticString, _ group: MessageType) -> MessageSchema {
        aroundUnits([FieldSchema(1, groups, .message(group), .repeated)])
    }

    /// `ResourceSpans`, `ResourceLogs` and `ResourceMetrics`.
    private static func resourceGroup(_ groups: StaticString, _ group: MessageType) -> MessageSchema {
        aroundUnits([
            FieldSchema(1, "resource", .message(.resource)),
            FieldSchema(2, groups, .message(group), .repeated),
            FieldSchema(3, "schemaUrl", .string),
        ])
    }

    /// `ScopeSpans`, `ScopeLogs` and `ScopeMetrics`.
    private static func scopeGroup(_ units: StaticString, _ unit: MessageType) -> MessageSchema {
        aroundUnits([
            FieldSchema(1, "scope", .message(.scope)),
            FieldSchema(2, units, .message(unit), .repeated),
            FieldSchema(3, "schemaUrl", .string),
        ])
    }

    /// A message around units, in which a wrong type leaves nothing to read.
    private static func aroundUnits(_ fields: [FieldSchema]) -> MessageSchema {
        MessageSchema(isolatesFlaws: false, lengthSize: 3, fields)
    }

    /// opentelemetry/proto/common/v1/common.proto, values.
    private static func value(_ type: MessageType) -> MessageSchema {
        switch type {
        case .anyValue:
            MessageSchema([
                FieldSchema(1, "stringValue", .string, .oneof),
                FieldSchema(2, "boolValue", .bool, .oneof),
                FieldSchema(3, "intValue", .int64, .oneof),
                FieldSchema(4, "doubleValue", .double, .oneof),
                FieldSchema(5, "arrayValue", .message(.arrayValue), .oneof),
                FieldSchema(6, "kvlistValue", .message(.keyValueList), .oneof),
                FieldSchema(7, "bytesValue", .bytes, .oneof),
            ])
        case .arrayValue: MessageSchema([FieldSchema(1, "values", .message(.anyValue), .repeated)])
        case .keyValueList: MessageSchema([FieldSchema(1, "values", .message(.keyValue), .repeated)])
        default: MessageSchema([FieldSchema(1, "key", .string), FieldSchema(2, "value", .message(.anyValue))])
        }
    }

    /// common.proto and resource.proto: where telemetry comes from.
    private static func origin(_ type: MessageType) -> MessageSchema {
        switch type {
        case .scope:
            MessageSchema([
                FieldSchema(1, "name", .string),
                FieldSchema(2, "version", .string),
                FieldSchema(3, "attributes", .message(.keyValue), .repeated),
                FieldSchema(4, "droppedAttributesCount", .uint32),
            ])
        case .resource:
            MessageSchema(
                lengthSize: 2,
                [
                    FieldSchema(1, "attributes", .message(.keyValue), .repeated),
                    FieldSchema(2, "droppedAttributesCount", .uint32),
                    FieldSchema(3, "entityRefs", .message(.entityReference), .repeated),
                ]
            )
        default:
            MessageSchema([
                FieldSchema(1, "schemaUrl", .string),
                FieldSchema(2, "type", .string),
                FieldSchema(3, "idKeys", .string, .repeated),
                FieldSchema(4, "descriptionKeys", .string, .repeated),
            ])
        }
    }

    /// trace.proto.
    private static func trace(_ type: MessageType) -> MessageSchema {
        switch type {
        case .span: span
        case .event:
            MessageSchema([
                FieldSchema(1, "timeUnixNano", .fixed64),
                FieldSchema(2, "name", .string),
                FieldSchema(3, "attributes", .message(.keyValue), .repeated),
                FieldSchema(4, "droppedAttributesCount", .uint32),
            ])
        case .link:
            MessageSchema([
                FieldSchema(1, "traceId", .id(16)),
                FieldSchema(2, "spanId", .id(8)),
                FieldSchema(3, "traceState", .string),
                FieldSchema(4, "attributes", .message(.keyValue), .repeated),
                FieldSchema(5, "droppedAttributesCount", .uint32),
                FieldSchema(6, "flags", .fixed32),
            ])
        default:
            MessageSchema([
                FieldSchema(2, "message", .string),
                FieldSchema(3, "code", .enumeration(.statusCode)),
            ])
        }
    }

    private static let span = MessageSchema(
        lengthSize: 2,
        [
            FieldSchema(1, "traceId", .id(16)),
            FieldSchema(2, "spanId", .id(8)),
            FieldSchema(3, "traceState", .string),
            FieldSchema(4, "parentSpanId", .id(8)),
            FieldSchema(5, "name", .string),
            FieldSchema(6, "kind", .enumeration(.spanKind)),
            FieldSchema(7, "startTimeUnixNano", .fixed64),
            FieldSchema(8, "endTimeUnixNano", .fixed64),
            FieldSchema(9, "attributes", .message(.keyValue), .repeated),
            FieldSchema(10, "droppedAttributesCount", .uint32),
            FieldSchema(11, "events", .message(.event), .repeated),
            FieldSchema(12, "droppedEventsCount", .uint32),
            FieldSchema(13, "links", .message(.link), .repeated),
            FieldSchema(14, "droppedLinksCount", .uint32),
            FieldSchema(15, "status", .message(.status)),
            FieldSchema(16, "flags", .fixed32),
        ]
    )

    /// logs.proto.
    private static let logRecord = MessageSchema(
        lengthSize: 2,
        [
            FieldSchema(1, "timeUnixNano", .fixed64),
            FieldSchema(2, "severityNumber", .enumeration(.severityNumber)),
            FieldSchema(3, "severityText", .string),
            FieldSchema(5, "body", .message(.anyValue)),
            FieldSchema(6, "attributes", .message(.keyValue), .repeated),
            FieldSchema(7, "droppedAttributesCount", .uint32),
            FieldSchema(8, "flags", .fixed32),
            FieldSchema(9, "traceId", .id(16)),
            FieldSchema(10, "spanId", .id(8)),
            FieldSchema(11, "observedTimeUnixNano", .fixed64),
            FieldSchema(12, "eventName", .string),
        ]
    )
}
