/// The messages of OTLP that JSON can hold; the raw value is the index into `MessageSchema.all`.
enum MessageType: Int, CaseIterable, Sendable {
    case anyValue, arrayValue, keyValueList, keyValue, scope, resource, entityReference
    case tracesRequest, resourceSpans, scopeSpans, span, event, link, status

    /// The request of a signal; nil while there are no tables for it.
    init?(requestOf signal: Signal) {
        switch signal {
        case .traces: self = .tracesRequest
        case .metrics, .logs: return nil
        }
    }
}

/// The enums of OTLP, whose values have names in plain protobuf JSON.
enum EnumType: Sendable {
    case spanKind, statusCode

    /// The names, in the order of their numbers.
    var names: [StaticString] {
        switch self {
        case .spanKind:
            [
                "SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT",
                "SPAN_KIND_PRODUCER", "SPAN_KIND_CONSUMER",
            ]
        case .statusCode: ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"]
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
    /// A decimal string in JSON.
    case int64
    case fixed32
    /// A decimal string in JSON.
    case fixed64
    case double
    /// A number in JSON.
    case enumeration(EnumType)
    case message(MessageType)

    var wireType: UInt32 {
        switch self {
        case .bool, .uint32, .int64, .enumeration: WireType.varint
        case .fixed64, .double: WireType.fixed64
        case .fixed32: WireType.fixed32
        case .string, .bytes, .id, .message: WireType.lengthDelimited
        }
    }
}

/// One field of a message.
struct FieldSchema: Sendable {
    let number: Int
    /// The name in JSON.
    let name: StaticString
    let kind: FieldKind
    let isRepeated: Bool
    var isDouble: Bool { if case .double = kind { true } else { false } }
    /// The tag in wire form.
    let tag: Int

    init(_ number: Int, _ name: StaticString, _ kind: FieldKind, repeated isRepeated: Bool = false) {
        self.number = number
        self.name = name
        self.kind = kind
        self.isRepeated = isRepeated
        tag = number << 3 | Int(kind.wireType)
    }
}

/// One message as data, so that both directions of every signal are the same code.
struct MessageSchema: Sendable {
    let fields: [FieldSchema]
    /// Whether at most one of the fields is set, and then written even where it is zero.
    let isOneof: Bool
    /// Whether a wrong type in it spoils only a span, scope or resource, which the index then finds invalid.
    let isolatesFlaws: Bool
    /// How many bytes its length usually takes.
    let lengthSize: Int

    init(oneof: Bool = false, isolatesFlaws: Bool = true, lengthSize: Int = 1, _ fields: [FieldSchema]) {
        self.fields = fields
        isOneof = oneof
        self.isolatesFlaws = isolatesFlaws
        self.lengthSize = lengthSize
    }
}
