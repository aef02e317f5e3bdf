extension MessageSchema {
    /// The tables, by raw value of `MessageType`.
    static let all: [MessageSchema] = MessageType.allCases.map(table)

    private static func table(_ type: MessageType) -> MessageSchema {
        switch type {
        case .anyValue, .arrayValue, .keyValueList, .keyValue: value(type)
        case .scope, .resource, .entityReference: origin(type)
        case .tracesRequest, .resourceSpans, .scopeSpans, .span, .event, .link, .status: trace(type)
        }
    }

    /// opentelemetry/proto/common/v1/common.proto, values.
    private static func value(_ type: MessageType) -> MessageSchema {
        switch type {
        case .anyValue:
            MessageSchema(
                oneof: true,
                [
                    FieldSchema(1, "stringValue", .string),
                    FieldSchema(2, "boolValue", .bool),
                    FieldSchema(3, "intValue", .int64),
                    FieldSchema(4, "doubleValue", .double),
                    FieldSchema(5, "arrayValue", .message(.arrayValue)),
                    FieldSchema(6, "kvlistValue", .message(.keyValueList)),
                    FieldSchema(7, "bytesValue", .bytes),
                ]
            )
        case .arrayValue: MessageSchema([FieldSchema(1, "values", .message(.anyValue), repeated: true)])
        case .keyValueList: MessageSchema([FieldSchema(1, "values", .message(.keyValue), repeated: true)])
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
                FieldSchema(3, "attributes", .message(.keyValue), repeated: true),
                FieldSchema(4, "droppedAttributesCount", .uint32),
            ])
        case .resource:
            MessageSchema(
                lengthSize: 2,
                [
                    FieldSchema(1, "attributes", .message(.keyValue), repeated: true),
                    FieldSchema(2, "droppedAttributesCount", .uint32),
                    FieldSchema(3, "entityRefs", .message(.entityReference), repeated: true),
                ]
            )
        default:
            MessageSchema([
                FieldSchema(1, "schemaUrl", .string),
                FieldSchema(2, "type", .string),
                FieldSchema(3, "idKeys", .string, repeated: true),
                FieldSchema(4, "descriptionKeys", .string, repeated: true),
            ])
        }
    }

    /// trace.proto and trace_service.proto.
    private static func trace(_ type: MessageType) -> MessageSchema {
        switch type {
        case .tracesRequest:
            envelope([FieldSchema(1, "resourceSpans", .message(.resourceSpans), repeated: true)])
        case .resourceSpans:
            envelope([
                FieldSchema(1, "resource", .message(.resource)),
                FieldSchema(2, "scopeSpans", .message(.scopeSpans), repeated: true),
                FieldSchema(3, "schemaUrl", .string),
            ])
        case .scopeSpans:
            envelope([
                FieldSchema(1, "scope", .message(.scope)),
                FieldSchema(2, "spans", .message(.span), repeated: true),
                FieldSchema(3, "schemaUrl", .string),
            ])
        case .span: span
        case .event:
            MessageSchema([
                FieldSchema(1, "timeUnixNano", .fixed64),
                FieldSchema(2, "name", .string),
                FieldSchema(3, "attributes", .message(.keyValue), repeated: true),
                FieldSchema(4, "droppedAttributesCount", .uint32),
            ])
        case .link:
            MessageSchema([
                FieldSchema(1, "traceId", .id(16)),
                FieldSchema(2, "spanId", .id(8)),
                FieldSchema(3, "traceState", .string),
                FieldSchema(4, "attributes", .message(.keyValue), repeated: true),
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

    /// A message around spans, in which a wrong type leaves nothing to read.
    private static func envelope(_ fields: [FieldSchema]) -> MessageSchema {
        MessageSchema(isolatesFlaws: false, lengthSize: 3, fields)
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
            FieldSchema(9, "attributes", .message(.keyValue), repeated: true),
            FieldSchema(10, "droppedAttributesCount", .uint32),
            FieldSchema(11, "events", .message(.event), repeated: true),
            FieldSchema(12, "droppedEventsCount", .uint32),
            FieldSchema(13, "links", .message(.link), repeated: true),
            FieldSchema(14, "droppedLinksCount", .uint32),
            FieldSchema(15, "status", .message(.status)),
            FieldSchema(16, "flags", .fixed32),
        ]
    )
}
