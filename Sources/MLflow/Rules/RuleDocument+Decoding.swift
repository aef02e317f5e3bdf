package import Basics
import Conditions
package import Settings

extension RuleDocument {
    private static let groups = [
        "when", "type", "content", "inputs", "outputs", "tools", "usage", "model", "session", "user", "name", "level",
        "prompt", "tags", "drop", "rename", "failure", "span_name", "call",
    ]

    /// Reads a document strictly: unknown members, missing ones and wrong types are problems.
    package init(decoding node: JSONNode) throws(DocumentProblems) {
        var reader = NodeReader()
        let place = NodePlace(node)
        self.init(convention: reader.string("convention", of: place) ?? "")
        if reader.expectObject(place, of: ["convention", "reference"] + Self.groups + ["token_counts", "plain_calls"]) {
            decodeGroups(place, &reader)
        }
        tokenCounts = reader.strings("token_counts", of: place)
        plainCalls = reader.strings("plain_calls", of: place)
        try reader.finish()
    }

    /// Reads a document that a user wrote in the pipeline file: the groups, and its name where he gave one.
    package init(userRules node: JSONNode) throws(DocumentProblems) {
        var reader = NodeReader()
        let place = NodePlace(node)
        self.init(convention: reader.optionalString("convention", of: place) ?? "user")
        if MappingRules.conventionNames.contains(convention) {
            let message = "\"\(convention)\" is a built-in convention; choose another name"
            reader.report(place["convention"] ?? place, message)
        }
        if reader.expectObject(place, of: ["convention"] + Self.groups) { decodeGroups(place, &reader) }
        try reader.finish()
    }

    private mutating func decodeGroups(_ place: NodePlace, _ reader: inout NodeReader) {
        let when = reader.when(place)
        type = reader.rules("type", of: place, when) { $1.typeRule($0) }
        content = reader.rules("content", of: place, when) { $1.contentRule($0) }
        if ["inputs", "outputs", "tools"].contains(where: { place[$0] != nil }) {
            var rule = reader.contentSources(place, name: "content")
            rule.when = when
            content.append(rule)
        }
        usage = reader.rules("usage", of: place, when) { $1.usageRule($0) }
        model = reader.rules("model", of: place, when) { $1.modelRule($0) }
        session = reader.rules("session", of: place, when) { $1.textRule($0) }
        user = reader.rules("user", of: place, when) { $1.textRule($0) }
        name = reader.rules("name", of: place, when) { $1.textRule($0) }
        level = reader.rules("level", of: place, when) { $1.levelRule($0) }
        prompt = reader.rules("prompt", of: place, when) { $1.promptRule($0) }
        tags = reader.pairs("tags", of: place, when, { $1.tagRule($0) }) { TagRule(name: $0, attribute: $1, tag: $0) }
        drop = reader.rules("drop", of: place, when) { $1.dropRule($0, isWholeDocument: when != nil) }
        rename = reader.pairs("rename", of: place, when, { $1.renameRule($0) }) {
            RenameRule(name: $0, attribute: $0, key: $1)
        }
        failure = reader.rules("failure", of: place, when) { $1.failureRule($0) }
        spanName = reader.rules("span_name", of: place, when) { $1.textRule($0, ["attribute"]) }
        call = reader.rules("call", of: place, when) { $1.textRule($0, ["attribute", "path"]) }
    }
}

extension NodeReader {
    /// What spans a place asks for.
    fileprivate mutating func when(_ place: NodePlace) -> Condition? { place["when"].flatMap { condition($0) } }

    /// The rules of a group: an array of them, or a single one.
    fileprivate mutating func rules<Rule: MappingRule>(
        _ group: String,
        of place: NodePlace,
        _ shared: Condition?,
        _ decode: (NodePlace, inout NodeReader) -> Rule?
    ) -> [Rule] {
        guard let member = place[group] else { return [] }
        return (member.elements ?? [member]).compactMap { rule in
            guard var decoded = decode(rule, &self) else { return nil }
            let conditions = [shared, when(rule)].compactMap { $0 }
            decoded.when = conditions.count > 1 ? .all(conditions) : conditions.first
            return decoded
        }
    }

    /// The rules of a group that may also be written as an object of pairs.
    fileprivate mutating func pairs<Rule: MappingRule>(
        _ group: String,
        of place: NodePlace,
        _ shared: Condition?,
        _ decode: (NodePlace, inout NodeReader) -> Rule?,
        _ pair: (String, String) -> Rule
    ) -> [Rule] {
        guard let member = place[group], let members = member.members else {
            return rules(group, of: place, shared, decode)
        }
        return members.compactMap { name, _ in
            guard let value = string(name, of: member) else { return nil }
            var rule = pair(name, value)
            rule.when = shared
            return rule
        }
    }

    /// A rule's own name, or that of its group.
    func ruleName(_ place: NodePlace) -> String {
        place["rule"]?.node.string ?? place.pointer.split(separator: "/").first.map(String.init) ?? "rule"
    }

    fileprivate mutating func typeRule(_ place: NodePlace) -> TypeRule? {
        if let type = place.node.string, !type.isEmpty {
            return TypeRule(name: ruleName(place), form: .present(attributes: [], type: type))
        }
        let members = ["rule", "when", "attribute", "values", "endings", "present", "type"]
        guard expectObject(place, of: members) else { return nil }
        let name = ruleName(place)
        if place["type"] != nil {
            guard let type = string("type", of: place) else { return nil }
            return TypeRule(name: name, form: .present(attributes: strings("present", of: place), type: type))
        }
        guard let attribute = string("attribute", of: place) else { return nil }
        if let endings = place["endings"], let members = endings.members {
            let types = members.compactMap { ending, _ in
                string(ending, of: endings).map { (ending: ending, type: $0) }
            }
            return TypeRule(name: name, form: .endings(attribute: attribute, types: types))
        }
        guard let values = place["values"], let members = values.members, !members.isEmpty else {
            report(place["values"] ?? place, "\"values\" is an object of value and span type")
            return nil
        }
        var types: [String: String] = [:]
        for (value, _) in members { types[value] = string(value, of: values) }
        return TypeRule(name: name, form: .values(attribute: attribute, types: types))
    }

    fileprivate mutating func usageRule(_ place: NodePlace) -> UsageRule? {
        let members = [
            "rule", "when", "in", "input", "output", "total", "cache_read", "cache_creation", "reasoning", "cost",
            "input_excludes_cache", "any_span",
        ]
        guard expectObject(place, of: members) else { return nil }
        var rule = UsageRule(name: ruleName(place))
        rule.countsIn = optionalString("in", of: place)
        rule.input = strings("input", of: place)
        rule.output = strings("output", of: place)
        rule.total = strings("total", of: place)
        rule.cacheRead = strings("cache_read", of: place)
        rule.cacheCreation = strings("cache_creation", of: place)
        rule.reasoning = strings("reasoning", of: place)
        rule.inputExcludesCache = flag("input_excludes_cache", of: place)
        rule.isForAnySpan = flag("any_span", of: place)
        if let cost = place["cost"], expectObject(cost, of: ["in", "input", "output", "total"]) {
            rule.costIn = optionalString("in", of: cost)
            rule.inputCost = strings("input", of: cost)
            rule.outputCost = strings("output", of: cost)
            rule.totalCost = strings("total", of: cost)
        }
        return rule
    }

    fileprivate mutating func modelRule(_ place: NodePlace) -> ModelRule? {
        if let attribute = place.node.string, !attribute.isEmpty {
            return ModelRule(name: ruleName(place), model: [attribute], provider: [])
        }
        let members = ["rule", "when", "model", "model_in", "provider", "provider_in", "cuts_provider"]
        guard expectObject(place, of: members) else { return nil }
        var rule = ModelRule(
            name: ruleName(place),
            model: strings("model", of: place),
            provider: strings("provider", of: place)
        )
        rule.modelIn = paths("model_in", of: place)
        rule.providerIn = paths("provider_in", of: place)
        rule.cutsProvider = flag("cuts_provider", of: place)
        return rule
    }

    /// The paths that a member names by attribute.
    private mutating func paths(_ name: String, of place: NodePlace) -> [(attribute: String, path: String)] {
        guard let inside = place[name] else { return [] }
        if inside.members == nil { report(inside, "an object of attribute and path") }
        return (inside.members ?? []).flatMap { attribute, _ in
            strings(attribute, of: inside).map { (attribute: attribute, path: $0) }
        }
    }

    fileprivate mutating func textRule(
        _ place: NodePlace,
        _ members: [String] = ["attribute", "path", "root_only", "typed_only"]
    ) -> TextRule? {
        if let attribute = place.node.string, !attribute.isEmpty {
            return TextRule(name: ruleName(place), attribute: attribute, rootOnly: false)
        }
        guard expectObject(place, of: ["rule", "when"] + members), let attribute = string("attribute", of: place)
        else { return nil }
        var rule = TextRule(name: ruleName(place), attribute: attribute, rootOnly: flag("root_only", of: place))
        rule.path = optionalString("path", of: place)
        rule.typedOnly = flag("typed_only", of: place)
        return rule
    }
}

extension NodeReader {
    fileprivate mutating func levelRule(_ place: NodePlace) -> LevelRule? {
        guard expectObject(place, of: ["rule", "when", "attribute", "values"]),
            let attribute = string("attribute", of: place)
        else { return nil }
        var rule = LevelRule(name: ruleName(place), attribute: attribute)
        for (name, member) in place["values"]?.members ?? [] {
            guard let level = member.node.double, (10...50).contains(level) else {
                report(member, "a level from 10 to 50 is expected")
                continue
            }
            rule.values[name] = Int64(level)
        }
        return rule
    }

    fileprivate mutating func failureRule(_ place: NodePlace) -> FailureRule? {
        guard expectObject(place, of: ["rule", "when", "attribute", "values", "message"]),
            let attribute = string("attribute", of: place)
        else { return nil }
        var rule = FailureRule(name: ruleName(place), attribute: attribute)
        rule.values = strings("values", of: place)
        rule.message = optionalString("message", of: place)
        return rule
    }

    fileprivate mutating func promptRule(_ place: NodePlace) -> PromptRule? {
        guard expectObject(place, of: ["rule", "when", "name", "version"]), let name = string("name", of: place),
            let version = string("version", of: place)
        else { return nil }
        return PromptRule(name: ruleName(place), promptName: name, promptVersion: version)
    }

    fileprivate mutating func tagRule(_ place: NodePlace) -> TagRule? {
        guard expectObject(place, of: ["rule", "when", "attribute", "prefix", "except", "list", "tag"]) else {
            return nil
        }
        let isPrefix = place["prefix"] != nil
        guard let attribute = string(isPrefix ? "prefix" : "attribute", of: place) else { return nil }
        var rule = TagRule(name: ruleName(place), attribute: attribute)
        rule.isPrefix = isPrefix
        rule.except = strings("except", of: place)
        rule.isList = flag("list", of: place)
        rule.tag = optionalString("tag", of: place)
        return rule
    }

    fileprivate mutating func dropRule(_ place: NodePlace, isWholeDocument: Bool) -> DropRule? {
        if place.node.bool == true, isWholeDocument { return DropRule(name: ruleName(place)) }
        guard place.node.members != nil, expectObject(place, of: ["rule", "when"]), place["when"] != nil else {
            report(place, "{\"when\": CONDITION} is expected, or true beside a \"when\"")
            return nil
        }
        return DropRule(name: ruleName(place))
    }

    fileprivate mutating func renameRule(_ place: NodePlace) -> RenameRule? {
        guard expectObject(place, of: ["rule", "when", "attribute", "to"]),
            let attribute = string("attribute", of: place), let key = string("to", of: place)
        else { return nil }
        return RenameRule(name: ruleName(place), attribute: attribute, key: key)
    }
}
