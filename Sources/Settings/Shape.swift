package import Basics

/// A group of settings as data: from it come reading, the JSON Schema, the reference table and `--print`.
package struct Shape<Settings: Sendable>: Sendable {
    /// One sentence for the schema and the reference.
    package let summary: String
    /// Every setting at its default; required ones have a placeholder, which `read` never returns.
    package let initial: Settings
    package let fields: [Field<Settings>]
    /// Checks that need more than one setting.
    package let check: @Sendable (inout Settings, Group, inout DecodeContext) -> Void

    /// - Parameters:
    ///   - summary: One sentence for the schema and the reference.
    ///   - initial: Every setting at its default, required ones at any value.
    ///   - fields: In the order of the reference.
    ///   - check: Reports what more than one setting is needed to see.
    package init(
        _ summary: String,
        _ initial: Settings,
        _ fields: [Field<Settings>],
        check: @escaping @Sendable (inout Settings, Group, inout DecodeContext) -> Void = { _, _, _ in }
    ) {
        self.summary = summary
        self.initial = initial
        self.fields = fields
        self.check = check
    }

    /// The settings that the object gives; what is wrong is reported and keeps its default.
    ///
    /// Nil where this is no object, or a required setting is missing or wrong, unless it is read `partly`, to check the rest
    /// all the same. A component has its `type` beside its settings.
    package func read(
        _ node: JSONNode,
        _ context: inout DecodeContext,
        type: String? = nil,
        partly: Bool = false
    ) -> Settings? {
        let allowed = "an object of settings"
        guard let members = node.uniqueMembers(&context, allowed: allowed, isSecret: hasSecrets) else { return nil }
        var settings = initial
        var missing = Set(fields.filter(\.isRequired).map(\.name))
        for member in members where type == nil || member.name != "type" {
            let isRead = context.within(member.name) { context in
                field(of: member, &context, type: type)?.read(member.node, &settings, &context) == true
            }
            if isRead { missing.remove(member.name) }
        }
        let group = Group(offset: node.offset, members: members)
        for field in fields where field.isRequired && group[field.name] == nil {
            context.report("\(quoted(field.name)) is missing; allowed: \(field.form.allowed)", at: node.offset)
        }
        check(&settings, group, &context)
        return partly || missing.isEmpty ? settings : nil
    }

    /// Whether some setting in it is never shown, so that nothing is that stands in its place.
    var hasSecrets: Bool { fields.contains(where: \.form.isSecret) }

    /// The setting of a member's name; nil, with the reason reported, where it is none that can be set.
    private func field(
        of member: JSONNode.Member,
        _ context: inout DecodeContext,
        type: String?
    ) -> Field<Settings>? {
        let names = (type == nil ? [] : ["type"]) + fields.filter(\.isAvailable).map(\.name)
        guard let field = fields.first(where: { $0.name == member.name }) else {
            let what = "unknown setting \(quoted(member.name))"
            context.refuse(unknown: member.name, at: member.nameOffset, allowed: names, what: what)
            return nil
        }
        guard let refusal = field.refusal else { return field }
        let what = "\(quoted(member.name)) \(refusal)"
        context.report("\(what); allowed: \(names.joined(separator: ", "))", at: member.nameOffset)
        return nil
    }

    /// The settings as a file would have them, absent ones left out, secrets masked.
    package func write(_ settings: Settings, type: String? = nil) -> JSON {
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
    package func schema(type: String? = nil) -> JSON {
        let available = fields.filter(\.isAvailable)
        let head = type.map { [JSON.Member("type", ["const": .text($0)])] } ?? []
        let properties = available.map { field in
            let initial = field.isRequired ? .null : field.write(initial)
            let extra: JSON = initial == .null ? [:] : ["default": initial]
            let described = field.form.schema.adding(["description": .text(field.summary)]).adding(extra)
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
package struct Group: Sendable {
    /// Of the object's first byte.
    package let offset: Int
    package let members: [JSONNode.Member]

    package init(offset: Int, members: [JSONNode.Member]) {
        self.offset = offset
        self.members = members
    }

    /// The value that the file gives a setting.
    package subscript(name: String) -> JSONNode? { members.first { $0.name == name }?.node }
}
