import Basics

/// One line of the table of components: a `type` of the pipeline file and its settings.
struct Component<Settings: Sendable>: Sendable {
    let type: String
    /// Where a processor runs; receivers and exporters have no stage.
    let stage: ProcessorStage?
    /// Whether this version has it; one it does not have is refused by name.
    let isAvailable: Bool
    let summary: String
    let rows: [ReferenceRow]
    let schema: JSON
    /// The settings, and the same as `--print` shows them.
    let read: @Sendable (JSONNode, inout Reading) -> (settings: Settings, printed: JSON)?

    /// A component of this version; `wrap` makes the settings of it, or nil where what it needs was not read.
    init<Own>(
        _ type: String,
        _ shape: Shape<Own>,
        _ stage: ProcessorStage? = nil,
        _ wrap: @escaping @Sendable (Own) -> Settings?
    ) {
        self.type = type
        self.stage = stage
        isAvailable = true
        summary = shape.summary
        rows = shape.referenceRows()
        schema = shape.schema(type: type)
        read = { node, reading in
            guard let own = shape.read(node, &reading, type: type), let settings = wrap(own) else { return nil }
            return (settings, shape.write(own, type: type))
        }
    }

    /// A type that the interface names and this version does not have.
    init(unavailable type: String, _ stage: ProcessorStage? = nil) {
        self.type = type
        self.stage = stage
        isAvailable = false
        summary = ""
        rows = []
        schema = .null
        read = { _, _ in nil }
    }
}

/// Where in a pipeline a processor works.
enum ProcessorStage: Sendable {
    /// Before the journal, on each request.
    case perSpan
    /// After the journal, on whole traces.
    case windowed
    /// Nowhere of its own: it sets how exporters read.
    case reading
}

/// A component as the file names and sets it.
package struct Configured<Settings: Sendable>: Sendable {
    /// The key in the pipeline file.
    package let name: String
    /// The value of `type`.
    package let type: String
    package let settings: Settings
    /// The settings with their defaults, secrets masked.
    let printed: JSON
}

extension Kind {
    /// Components of one sort, each under a name of the user's choice.
    static func components<Settings>(_ table: [Component<Settings>]) -> Kind
    where Value == [Configured<Settings>] {
        let types = table.filter(\.isAvailable).map(\.type)
        return Kind(
            allowed: "an object of components",
            brief: "object of components",
            schema: [
                "type": "object", "propertyNames": Kind<String>.componentName.schema,
                "additionalProperties": .componentSchema(table.filter(\.isAvailable).map { ($0.type, $0.schema) }),
            ],
            read: { node, reading in
                guard let members = node.uniqueMembers(&reading, allowed: "an object of components") else { return nil }
                return members.compactMap { member in
                    reading.within(member.name) { reading in
                        let key = JSONNode(.string(member.name), offset: member.nameOffset)
                        let name = Kind<String>.componentName.read(key, &reading)
                        guard let component = component(of: member.node, table, types, &reading) else { return nil }
                        guard let (settings, printed) = component.read(member.node, &reading) else { return nil }
                        return name.map {
                            Configured(name: $0, type: component.type, settings: settings, printed: printed)
                        }
                    }
                }
            },
            write: { values in .object(values.map { JSON.Member($0.name, $0.printed) }) }
        )
    }

    private static func component<Settings>(
        of node: JSONNode,
        _ table: [Component<Settings>],
        _ types: [String],
        _ reading: inout Reading
    ) -> Component<Settings>? {
        let words = types.map(quoted).joined(separator: ", ")
        guard node.members != nil else {
            reading.refuse(node, allowed: "an object with a \"type\"")
            return nil
        }
        guard let type = node["type"] else {
            reading.report("\"type\" is missing; allowed: \(words)", at: node.offset)
            return nil
        }
        return reading.within("type") { reading in
            guard let found = table.first(where: { $0.type == type.string }) else {
                let hint = nearest(to: type.string ?? "", among: types)
                reading.refuse(type, allowed: words, instead: hint)
                return nil
            }
            guard found.isAvailable else {
                let what = "\(quoted(found.type)) is not available in this version"
                reading.report("\(what); allowed: \(words)", at: type.offset)
                return nil
            }
            return found
        }
    }
}

extension JSON {
    /// Chooses the schema by `type`, so that an editor complains about the settings of that type alone.
    fileprivate static func componentSchema(_ types: [(type: String, schema: JSON)]) -> JSON {
        [
            "type": "object",
            "required": ["type"],
            "properties": ["type": ["enum": .words(types.map(\.type))]],
            "allOf": .array(
                types.map { type, schema in
                    ["if": ["properties": ["type": ["const": .text(type)]]], "then": schema]
                }
            ),
        ]
    }
}

extension Kind<String> {
    /// The key of a component or pipeline: it becomes part of paths and of metrics.
    static let componentName = Kind.parsed(
        "a name of at most 64 letters, digits, \"_\", \"-\" and \".\" that begins with a letter or digit",
        brief: "name",
        schema: ["type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"],
        parse: { isComponentName($0) ? $0 : nil },
        format: { $0 }
    )
}

private func isComponentName(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 64 else { return false }
    let isLetterOrDigit = { (byte: UInt8) in
        byte.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    return isLetterOrDigit(first) && text.utf8.allSatisfy { isLetterOrDigit($0) || "_-.".utf8.contains($0) }
}
