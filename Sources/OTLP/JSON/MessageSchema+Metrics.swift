/// metrics.proto.
extension MessageSchema {
    static let metric = MessageSchema(
        lengthSize: 2,
        [
            FieldSchema(1, "name", .string),
            FieldSchema(2, "description", .string),
            FieldSchema(3, "unit", .string),
            FieldSchema(5, "gauge", .message(.gauge), .oneof),
            FieldSchema(7, "sum", .message(.sum), .oneof),
            FieldSchema(9, "histogram", .message(.histogram), .oneof),
            FieldSchema(10, "exponentialHistogram", .message(.exponentialHistogram), .oneof),
            FieldSchema(11, "summary", .message(.summary), .oneof),
            FieldSchema(12, "metadata", .message(.keyValue), .repeated),
        ]
    )

    /// The kinds of data of a metric.
    static func metricData(_ type: MessageType) -> MessageSchema {
        let temporality = FieldSchema(2, "aggregationTemporality", .enumeration(.aggregationTemporality))
        let fields: [FieldSchema] =
            switch type {
            case .sum: [dataPoints(.numberDataPoint), temporality, FieldSchema(3, "isMonotonic", .bool)]
            case .histogram: [dataPoints(.histogramDataPoint), temporality]
            case .exponentialHistogram: [dataPoints(.exponentialHistogramDataPoint), temporality]
            case .summary: [dataPoints(.summaryDataPoint)]
            default: [dataPoints(.numberDataPoint)]
            }
        return MessageSchema(lengthSize: 2, fields)
    }

    private static func dataPoints(_ type: MessageType) -> FieldSchema {
        FieldSchema(1, "dataPoints", .message(type), .repeated)
    }

    static let numberDataPoint = MessageSchema([
        FieldSchema(2, "startTimeUnixNano", .fixed64),
        FieldSchema(3, "timeUnixNano", .fixed64),
        FieldSchema(4, "asDouble", .double, .oneof),
        FieldSchema(5, "exemplars", .message(.exemplar), .repeated),
        FieldSchema(6, "asInt", .sfixed64, .oneof),
        FieldSchema(7, "attributes", .message(.keyValue), .repeated),
        FieldSchema(8, "flags", .uint32),
    ])

    static let histogramDataPoint = MessageSchema(
        lengthSize: 2,
        [
            FieldSchema(2, "startTimeUnixNano", .fixed64),
            FieldSchema(3, "timeUnixNano", .fixed64),
            FieldSchema(4, "count", .fixed64),
            FieldSchema(5, "sum", .double, .explicit),
            FieldSchema(6, "bucketCounts", .fixed64, .repeated),
            FieldSchema(7, "explicitBounds", .double, .repeated),
            FieldSchema(8, "exemplars", .message(.exemplar), .repeated),
            FieldSchema(9, "attributes", .message(.keyValue), .repeated),
            FieldSchema(10, "flags", .uint32),
            FieldSchema(11, "min", .double, .explicit),
            FieldSchema(12, "max", .double, .explicit),
        ]
    )

    static let exponentialHistogramDataPoint = MessageSchema(
        lengthSize: 2,
        [
            FieldSchema(1, "attributes", .message(.keyValue), .repeated),
            FieldSchema(2, "startTimeUnixNano", .fixed64),
            FieldSchema(3, "timeUnixNano", .fixed64),
            FieldSchema(4, "count", .fixed64),
            FieldSchema(5, "sum", .double, .explicit),
            FieldSchema(6, "scale", .sint32),
            FieldSchema(7, "zeroCount", .fixed64),
            FieldSchema(8, "positive", .message(.buckets)),
            FieldSchema(9, "negative", .message(.buckets)),
            FieldSchema(10, "flags", .uint32),
            FieldSchema(11, "exemplars", .message(.exemplar), .repeated),
            FieldSchema(12, "min", .double, .explicit),
            FieldSchema(13, "max", .double, .explicit),
            FieldSchema(14, "zeroThreshold", .double),
        ]
    )

    static let summaryDataPoint = MessageSchema([
        FieldSchema(2, "startTimeUnixNano", .fixed64),
        FieldSchema(3, "timeUnixNano", .fixed64),
        FieldSchema(4, "count", .fixed64),
        FieldSchema(5, "sum", .double),
        FieldSchema(6, "quantileValues", .message(.valueAtQuantile), .repeated),
        FieldSchema(7, "attributes", .message(.keyValue), .repeated),
        FieldSchema(8, "flags", .uint32),
    ])

    /// What data points are made of.
    static func measurement(_ type: MessageType) -> MessageSchema {
        switch type {
        case .buckets:
            MessageSchema([
                FieldSchema(1, "offset", .sint32),
                FieldSchema(2, "bucketCounts", .uint64, .repeated),
            ])
        case .valueAtQuantile:
            MessageSchema([FieldSchema(1, "quantile", .double), FieldSchema(2, "value", .double)])
        default:
            MessageSchema([
                FieldSchema(2, "timeUnixNano", .fixed64),
                FieldSchema(3, "asDouble", .double, .oneof),
                FieldSchema(4, "spanId", .id(8)),
                FieldSchema(5, "traceId", .id(16)),
                FieldSchema(6, "asInt", .sfixed64, .oneof),
                FieldSchema(7, "filteredAttributes", .message(.keyValue), .repeated),
            ])
        }
    }
}
