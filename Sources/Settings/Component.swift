import Basics

/// One line of a catalogue: a `type` of the pipeline file, its settings, and what they become.
package struct Component<Settings: Sendable>: Sendable {
    package let type: String
    /// Where a processor runs; receivers and exporters have no stage.
    package let stage: ProcessorStage?
    /// For the reference: its own, then those of the groups in it.
    package let tables: [ReferenceTable]
    fileprivate let schema: JSON
    /// The settings, and the same as `--print` shows them.
    fileprivate let read: @Sendable (JSONNode, inout DecodeContext) -> (settings: Settings, printed: JSON)?

    /// - Parameters:
    ///   - type: The value of `type` in the file.
    ///   - shape: Its settings.
    ///   - stage: Where a processor runs.
    ///   - wrap: Makes what the rest of the program knows of the settings.
    package init<Own>(
        _ type: String,
        _ shape: Shape<Own>,
        _ stage: ProcessorStage? = nil,
        _ wrap: @escaping @Sendable (Own) -> Settings
    ) {
        self.type = type
        self.stage = stage
        tables = shape.tables
        schema = shape.schema(type: type)
        read = { node, context in
            shape.read(node, &context, type: type).map { (wrap($0), shape.write($0, type: type)) }
        }
    }
}

/// Where in a pipeline a processor works.
package enum ProcessorStage: Sendable {
    /// Before the journal, on each request.
    case perSpan
    /// After the journal, on whole traces.
    case windowed
    /// Nowhere of its own: it sets how exporters batch.
    case batching
}

/// A component as the file names and sets it.
package struct Configured<Settings: Sendable>: Sendable {
    /// The key in the pipeline file.
    package let name: String
    /// The value of `type`.
    package let type: String
    package let settings: Settings
    /// The settings with their defaults, secrets masked.
    fileprivate let printed: JSON
    /// The settings as they were read, with the values of variables and files.
    fileprivate let node: JSONNode

    /// Whether another one was read from the same settings, values of variables and files included.
    package func isSet(as other: Configured) -> Bool { node.hasSameValue(as: other.node) }
}

extension Kind {
    /// Components of one sort, each under a name of the user's choice.
    package static func components<Settings>(_ catalogue: [Component<Settings>]) -> Kind
    where Value == [Configured<Settings>] {
        let name = Kind<String>.componentName
        return Kind(
            allowed: "an object of components",
            brief: "object of components",
            schema: [
                "type": "object", "propertyNames": name.form.schema,
                "additionalProperties": .componentSchema(catalogue.map { ($0.type, $0.schema) }),
            ],
            read: { node, context in
                guard let members = node.uniqueMembers(&context, allowed: "an object of components") else { return nil }
                return members.compactMap { member in
                    context.within(member.name) { context in
                        let key = name.read(JSONNode(.string(member.name), offset: member.nameOffset), &context)
                        guard let component = component(of: member.node, catalogue, &context),
                            let (settings, printed) = component.read(member.node, &context)
                        else { return nil }
                        return key.map {
                            Configured(
                                name: $0,
                                type: component.type,
                                settings: settings,
                                printed: printed,
                                node: member.node
                            )
                        }
                    }
                }
            },
            write: { values in .object(values.map { JSON.Member($0.name, $0.printed) }) }
        )
    }

    private static func component<Settings>(
        of node: JSONNode,
        _ catalogue: [Component<Settings>],
        _ context: inout DecodeContext
    ) -> Component<Settings>? {
        let types = catalogue.map(\.type)
        let words = types.map(quoted).joined(separator: ", ")
        guard node.members != nil else {
            context.refuse(node, allowed: "an object with a \"type\"")
            return nil
        }
        guard let type = node["type"] else {
            context.report("\"type\" is missing; allowed: \(words)", at: node.offset)
            return nil
        }
        return context.within("type") { context in
            guard let found = catalogue.first(where: { $0.type == type.string }) else {
                let hint = nearest(to: type.string ?? "", among: types)
                context.refuse(type, allowed: words, instead: hint)
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
    package static let componentName = Kind.parsed(
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
