/// What a message is besides its fields.
struct MessageTraits: Sendable {
    let type: MessageType
    /// Whether some of its fields rule one another out.
    let hasOneof: Bool
    let isolatesFlaws: Bool
    let lengthSize: Int
    /// The field for a double, of a message that has one of several types; nil for any other message.
    let double: FieldSchema?
}

/// All messages, laid out for looking fields up without touching a reference count.
struct SchemaTables: Sendable {
    static let all = SchemaTables(MessageSchema.all)

    /// The fields of all messages, one message behind the other.
    let fields: [FieldSchema]
    /// By raw value of `MessageType`.
    let messages: [MessageTraits]
    /// Every name in JSON, then every one in snake case that differs.
    private let names: KeyTable
    /// For each name the number of the one in JSON.
    private let canonicalNames: [Int]
    /// For each message and each name in JSON the index into `fields`; -1 where the message has no such field.
    private let fieldsByName: [Int16]
    /// For each message and each number under `numberEnd` the index into `fields`; -1 where there is none.
    private let fieldsByNumber: [Int16]
    private let nameCount: Int
    private let numberEnd: Int

    init(_ schemas: [MessageSchema]) {
        let fields = schemas.flatMap(\.fields)
        let camel = Array(Set(fields.map { "\($0.name)" })).sorted()
        let snake = camel.map(Self.snakeCase)
        let others = camel.indices.filter { snake[$0] != camel[$0] }
        let numberEnd = (fields.map(\.number).max() ?? 0) + 1
        var byName = [Int16](repeating: -1, count: schemas.count * camel.count)
        var byNumber = [Int16](repeating: -1, count: schemas.count * numberEnd)
        var index: Int16 = 0
        for (message, schema) in schemas.enumerated() {
            for field in schema.fields {
                if let name = camel.firstIndex(of: "\(field.name)") { byName[message * camel.count + name] = index }
                byNumber[message * numberEnd + field.number] = index
                index += 1
            }
        }
        self.fields = fields
        messages = zip(MessageType.allCases, schemas).map { type, schema in
            MessageTraits(
                type: type,
                hasOneof: schema.fields.contains { $0.presence == .oneof },
                isolatesFlaws: schema.isolatesFlaws,
                lengthSize: schema.lengthSize,
                double: schema.fields.first { $0.isDouble && $0.presence == .oneof }
            )
        }
        names = KeyTable(camel + others.map { snake[$0] })
        canonicalNames = Array(camel.indices) + others
        fieldsByName = byName
        fieldsByNumber = byNumber
        nameCount = camel.count
        self.numberEnd = numberEnd
    }

    /// The field of a message with that number; nil for an unknown one.
    @inline(__always)
    func field(_ number: Int, of type: MessageType) -> Int? {
        guard number < numberEnd else { return nil }
        let index = Int(fieldsByNumber[type.rawValue &* numberEnd &+ number])
        return index < 0 ? nil : index
    }

    /// The field of a message whose name stands in `range` of `text`, and whether it is in snake case; nil for an unknown one.
    @inline(__always)
    func field(_ text: RawSpan, _ range: Range<Int>, of type: MessageType) -> (index: Int, isSnakeCase: Bool)? {
        guard let name = names.find(text, range) else { return nil }
        let index = Int(fieldsByName[type.rawValue &* nameCount &+ canonicalNames[name]])
        return index < 0 ? nil : (index, name >= nameCount)
    }

    private static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}
