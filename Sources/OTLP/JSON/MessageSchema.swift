/// The messages of OTLP that JSON can hold; the raw value is the index into `MessageSchema.all`.
enum MessageType: Int, CaseIterable, Sendable {
    case anyValue, arrayValue, keyValueList, keyValue, scope, resource, entityReference
    case tracesRequest, resourceSpans, scopeSpans, span, event, link, status
    case logsRequest, resourceLogs, scopeLogs, logRecord
    case metricsRequest, resourceMetrics, scopeMetrics, metric
    case gauge, sum, histogram, exponentialHistogram, summary
    case numberDataPoint, histogramDataPoint, exponentialHistogramDataPoint, buckets, summaryDataPoint, valueAtQuantile
    case exemplar

    /// The request of a signal.
    init(requestOf signal: Signal) {
        switch signal {
        case .traces: self = .tracesRequest
        case .metrics: self = .metricsRequest
        case .logs: self = .logsRequest
        }
    }

    /// The unit of a signal.
    init(unitOf signal: Signal) {
        switch signal {
        case .traces: self = .span
        case .metrics: self = .metric
        case .logs: self = .logRecord
        }
    }
}

/// The enums of OTLP, whose values have names in plain protobuf JSON.
enum EnumType: Sendable {
    case spanKind, statusCode, severityNumber, aggregationTemporality

    /// The names, in the order of their numbers.
    var names: [StaticString] {
        switch self {
        case .spanKind:
            [
                "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
                "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
            ]
        case .statusCode: ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]
        case .severityNumber:
            [
                "SEVERITY_NUMBER_UNSPECIFIED",
                "SEVERITY_NUMBER_TRACE", "SEVERITY_NUMBER_TRACE2", "SEVERITY_NUMBER_TRACE3", "SEVERITY_NUMBER_TRACE4",
                "SEVERITY_NUMBER_DEBUG", "SEVERITY_NUMBER_DEBUG2", "SEVERITY_NUMBER_DEBUG3", "SEVERITY_NUMBER_DEBUG4",
                "SEVERITY_NUMBER_INFO", "SEVERITY_NUMBER_INFO2", "SEVERITY_NUMBER_INFO3", "SEVERITY_NUMBER_INFO4",
                "SEVERITY_NUMBER_WARN", "SEVERITY_NUMBER_WARN2", "SEVERITY_NUMBER_WARN3", "SEVERITY_NUMBER_WARN4",
                "SEVERITY_NUMBER_ERROR", "SEVERITY_NUMBER_ERROR2", "SEVERITY_NUMBER_ERROR3", "SEVERITY_NUMBER_ERROR4",
                "SEVERITY_NUMBER_FATAL", "SEVERITY_NUMBER_FATAL2", "SEVERITY_NUMBER_FATAL3", "SEVERITY_NUMBER_FATAL4",
            ]
        case .aggregationTemporality:
            [
                "AGGREGATION_TEMPORALITY_UNSPECIFIED", "AGGREGATION_TEMPORALITY_DELTA",
                "AGGREGATION_TEMPORALITY_CUMULATIVE",
            ]
        }
    }
}

/// How a field is written, in wire form and in JSON (protocol section "JSON Protobuf Encoding").
enum FieldKind: Sendable {
    case string
    /// Base64 in JSON.
    case bytes
    /// That many bytes; hexadecimal in JSON.
    case id(Int)
    case bool
    case uint32
    /// The sign in the lowest bit.
    case sint32
    /// A decimal string in JSON.
    case int64
    /// A decimal string in JSON.
    case uint64
    case fixed32
    /// A decimal string in JSON.
    case fixed64
    /// A decimal string in JSON.
    case sfixed64
    case double
    /// A number in JSON.
    case enumeration(EnumType)
    case message(MessageType)

    var wireType: UInt32 {
        switch self {
        case .bool, .uint32, .sint32, .int64, .uint64, .enumeration: WireType.varint
        case .fixed64, .sfixed64, .double: WireType.fixed64
        case .fixed32: WireType.fixed32
        case .string, .bytes, .id, .message: WireType.lengthDelimited
        }
    }
}

/// When a field is there.
enum FieldPresence: Sendable {
    /// Where it has another value than zero or empty.
    case implicit
    /// Where it was set, be it to zero.
    case explicit
    /// As `explicit`, and the others of its message that say so are not set.
    case oneof
    /// As often as it was set.
    case repeated
}

/// One field of a message.
struct FieldSchema: Sendable {
    let number: Int
    /// The name in JSON.
    let name: StaticString
    let kind: FieldKind
    let presence: FieldPresence
    /// The tag in wire form.
    let tag: Int

    init(_ number: Int, _ name: StaticString, _ kind: FieldKind, _ presence: FieldPresence = .implicit) {
        self.number = number
        self.name = name
        self.kind = kind
        self.presence = presence
        tag = number << 3 | Int(kind.wireType)
    }

    var isRepeated: Bool { presence == .repeated }
    var isDouble: Bool { if case .double = kind { true } else { false } }

    /// Whether it holds a whole number of 64 bits that may be negative.
    var isInt64: Bool {
        switch kind {
        case .int64, .sfixed64: true
        default: false
        }
    }

    /// Whether its numbers may stand one behind the other in one field.
    var isPackable: Bool { isRepeated && kind.wireType != WireType.lengthDelimited }
}

/// One message as data, so that both directions of every signal are the same code.
struct MessageSchema: Sendable {
    let fields: [FieldSchema]
    /// Whether a wrong type in it spoils only a unit, scope or resource, which the index then finds invalid.
    let isolatesFlaws: Bool
    /// How many bytes its length usually takes.
    let lengthSize: Int

    init(isolatesFlaws: Bool = true, lengthSize: Int = 1, _ fields: [FieldSchema]) {
        self.fields = fields
        self.isolatesFlaws = isolatesFlaws
        self.lengthSize = lengthSize
    }
}
