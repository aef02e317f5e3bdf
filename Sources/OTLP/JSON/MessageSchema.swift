import Basics

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
    /// A number in JSON; the names in the order of their numbers.
    case enumeration([StaticString])
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
    /// Names in JSON, then the same in snake case; the index modulo the number of fields is the field's.
    let names: KeyTable
    /// By field number the index into `fields`; -1 for unknown ones.
    private let indices: [Int8]

    init(oneof: Bool = false, isolatesFlaws: Bool = true, lengthSize: Int = 1, _ fields: [FieldSchema]) {
        self.fields = fields
        isOneof = oneof
        self.isolatesFlaws = isolatesFlaws
        self.lengthSize = lengthSize
        names = KeyTable(fields.map { "\($0.name)" } + fields.map { Self.snakeCase("\($0.name)") })
        var indices = [Int8](repeating: -1, count: (fields.map(\.number).max() ?? 0) + 1)
        for (index, field) in fields.enumerated() { indices[field.number] = Int8(index) }
        self.indices = indices
    }

    /// The index of the field of that number; nil for an unknown one.
    func index(of number: Int) -> Int? {
        guard number < indices.count, indices[number] >= 0 else { return nil }
        return Int(indices[number])
    }

    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}
