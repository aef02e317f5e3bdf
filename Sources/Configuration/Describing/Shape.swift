import Basics

/// A group of settings as data: from it come reading, the JSON Schema, the reference table and `--print`.
struct Shape<Settings: Sendable>: Sendable {
    /// One sentence for the schema and the reference.
    let summary: String
    /// Every setting at its default.
    let initial: Settings
    let fields: [Field<Settings>]
    /// Checks that need more than one setting.
    let check: @Sendable (inout Settings, Group, inout Reading) -> Void

    init(
        _ summary: String,
        _ initial: Settings,
        _ fields: [Field<Settings>],
        common: [Field<Settings>] = [],
        check: @escaping @Sendable (inout Settings, Group, inout Reading) -> Void = { _, _, _ in }
    ) {
        self.summary = summary
        self.initial = initial
        self.fields = fields + common
        self.check = check
    }

    /// The settings that the object gives; what is wrong is reported and keeps its default.
    ///
    /// Nil where this is no object. A component has its `type` beside its settings.
    func read(_ node: JSONNode, _ reading: inout Reading, type: String? = nil) -> Settings? {
        guard let members = node.uniqueMembers(&reading, allowed: "an object of settings") else { return nil }
        let names = (type == nil ? [] : ["type"]) + fields.filter(\.isAvailable).map(\.name)
        var settings = initial
        for member in members where type == nil || member.name != "type" {
            reading.within(member.name) { reading in
                guard let field = fields.first(where: { $0.name == member.name }) else {
                    let what = "\(quoted(member.name)) is no known setting"
                    return reading.refuse(unknown: member.name, at: member.nameOffset, allowed: names, what: what)
                }
                if let refusal = field.refusal {
                    let allowed = names.joined(separator: ", ")
                    let what = "\(quoted(member.name)) \(refusal)"
                    return reading.report("\(what); allowed: \(allowed)", at: member.nameOffset)
                }
                field.read(member.node, &settings, &reading)
            }
        }
        let group = Group(offset: node.offset, members: members)
        for field in fields where field.isRequired && group[field.name] == nil {
            reading.report("\(quoted(field.name)) is missing; allowed: \(field.allowed)", at: node.offset)
        }
        check(&settings, group, &reading)
        return settings
    }

    /// The settings as a file would have them, absent ones left out, secrets masked.
    func write(_ settings: Settings, type: String? = nil) -> JSON {
        let head = type.map { [JSON.Member("type", .text($0))] } ?? []
        return .object(
            head
                + fields.filter(\.isAvailable).compactMap { field in
                    let value = field.write(settings)
                    return value == .null ? nil : JSON.Member(field.name, value)
                }
        )
    }

    /// JSON Schema of the object.
    func schema(type: String? = nil) -> JSON {
        let available = fields.filter(\.isAvailable)
        let head = type.map { [JSON.Member("type", ["const": .text($0)])] } ?? []
        let properties = available.map { field in
            let hasDefault = !field.isRequired && field.initial(initial) != .null
            let extra: JSON = hasDefault ? ["default": field.initial(initial)] : [:]
            let described = field.schema.adding(["description": .text(field.summary)]).adding(extra)
            return JSON.Member(field.name, described)
        }
        let required = (type == nil ? [] : ["type"]) + available.filter(\.isRequired).map(\.name)
        return [
            "type": "object", "description": .text(summary), "properties": .object(head + properties),
            "required": .words(required), "additionalProperties": false,
        ]
    }
}

/// The members that one object of the file has.
struct Group: Sendable {
    /// Of the object's first byte.
    let offset: Int
    let members: [JSONNode.Member]

    /// The value that the file gives a setting.
    subscript(name: String) -> JSONNode? { members.first { $0.name == name }?.node }
}
