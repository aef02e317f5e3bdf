package import Basics

extension RuleDocument {
    private static let groups = ["type", "content", "usage", "model", "session", "user", "name"]

    /// Reads a document strictly: unknown members, missing ones and wrong types are problems.
    package init(decoding node: JSONNode) throws(DocumentProblems) {
        var reader = NodeReader()
        let place = NodePlace(node)
        self.init(convention: reader.string("convention", of: place) ?? "")
        if reader.expectObject(place, of: ["convention", "reference"] + Self.groups + ["token_counts"]) {
            decodeGroups(place, &reader)
        }
        try reader.finish()
    }

    /// Reads a document that a user wrote in the pipeline file: the groups, and its name where he gave one.
    package init(userRules node: JSONNode) throws(DocumentProblems) {
        var reader = NodeReader()
        let place = NodePlace(node)
        self.init(convention: reader.optionalString("convention", of: place) ?? "user")
        if reader.expectObject(place, of: ["convention"] + Self.groups) { decodeGroups(place, &reader) }
        try reader.finish()
    }

    private mutating func decodeGroups(_ place: NodePlace, _ reader: inout NodeReader) {
        type = reader.rules("type", of: place) { $1.typeRule($0) }
        content = reader.rules("content", of: place) { $1.contentRule($0) }
        usage = reader.rules("usage", of: place) { $1.usageRule($0) }
        model = reader.rules("model", of: place) { $1.modelRule($0) }
        session = reader.rules("session", of: place) { $1.textRule($0) }
        user = reader.rules("user", of: place) { $1.textRule($0) }
        name = reader.rules("name", of: place) { $1.textRule($0) }
        tokenCounts = reader.strings("token_counts", of: place)
    }
}

extension NodeReader {
    fileprivate mutating func rules<Rule>(
        _ group: String,
        of place: NodePlace,
        _ decode: (NodePlace, inout NodeReader) -> Rule?
    ) -> [Rule] {
        guard let member = place[group] else { return [] }
        guard let elements = member.elements else {
            report(member, "an array of rules is expected")
            return []
        }
        return elements.compactMap { decode($0, &self) }
    }

    fileprivate mutating func typeRule(_ place: NodePlace) -> TypeRule? {
        guard expectObject(place, of: ["rule", "attribute", "values", "present", "type"]),
            let name = string("rule", of: place)
        else { return nil }
        if place["present"] != nil {
            let attributes = strings("present", of: place)
            guard let type = string("type", of: place), !attributes.isEmpty else { return nil }
            return TypeRule(name: name, form: .present(attributes: attributes, type: type))
        }
        guard let attribute = string("attribute", of: place) else { return nil }
        guard let values = place["values"], let members = values.members, !members.isEmpty else {
            report(place["values"] ?? place, "\"values\" is an object of value and span type")
            return nil
        }
        var types: [String: String] = [:]
        for (value, _) in members { types[value] = string(value, of: values) }
        return TypeRule(name: name, form: .values(attribute: attribute, types: types))
    }

    fileprivate mutating func contentRule(_ place: NodePlace) -> ContentRule? {
        guard expectObject(place, of: ["rule", "inputs", "outputs", "tools"]),
            let name = string("rule", of: place)
        else { return nil }
        var rule = ContentRule(name: name)
        rule.inputs = place["inputs"].flatMap { contentSource($0, shapes: [.value, .chat, .documents]) }
        rule.outputs = place["outputs"].flatMap { contentSource($0, shapes: [.value, .chat, .documents]) }
        rule.tools = place["tools"].flatMap { contentSource($0, shapes: [.tools]) }
        return rule
    }

    private mutating func contentSource(_ place: NodePlace, shapes: [ContentSource.Shape]) -> ContentSource? {
        let members = [
            "attribute", "flattened", "unwrap", "events", "as", "media_type", "instructions", "finish_reasons",
        ]
        guard expectObject(place, of: members), let origin = contentOrigin(place) else { return nil }
        var shape = shapes[0]
        if let name = optionalString("as", of: place) {
            guard let known = shapes.first(where: { $0.rawValue == name }) else {
                let allowed = shapes.map(\.rawValue).joined(separator: ", ")
                report(place["as"] ?? place, "\"\(name)\" is no shape of content; allowed: \(allowed)")
                return nil
            }
            shape = known
        }
        return ContentSource(
            origin: origin,
            shape: shape,
            mediaType: optionalString("media_type", of: place),
            instructions: optionalString("instructions", of: place),
            finishReasons: optionalString("finish_reasons", of: place)
        )
    }

    private mutating func contentOrigin(_ place: NodePlace) -> ContentSource.Origin? {
        if let attribute = optionalString("attribute", of: place) { return .attribute(attribute) }
        if let prefix = optionalString("flattened", of: place) {
            return .flattened(prefix: prefix, unwrap: strings("unwrap", of: place))
        }
        guard let events = place["events"], let members = events.members, !members.isEmpty else {
            report(place, "one of \"attribute\", \"flattened\" and \"events\" is expected")
            return nil
        }
        return .events(members.compactMap { eventSource($0.name, $0.place) })
    }

    private mutating func eventSource(_ name: String, _ place: NodePlace) -> EventSource? {
        guard expectObject(place, of: ["role", "attribute", "instructions"]) else { return nil }
        return EventSource(
            name: name,
            role: optionalString("role", of: place),
            attribute: optionalString("attribute", of: place),
            instructions: optionalString("instructions", of: place)
        )
    }

    fileprivate mutating func usageRule(_ place: NodePlace) -> UsageRule? {
        let members = [
            "rule", "input", "output", "total", "cache_read", "cache_creation", "cost", "input_excludes_cache",
        ]
        guard expectObject(place, of: members), let name = string("rule", of: place) else { return nil }
        var rule = UsageRule(name: name)
        rule.input = strings("input", of: place)
        rule.output = strings("output", of: place)
        rule.total = strings("total", of: place)
        rule.cacheRead = strings("cache_read", of: place)
        rule.cacheCreation = strings("cache_creation", of: place)
        rule.inputExcludesCache = flag("input_excludes_cache", of: place)
        if let cost = place["cost"], expectObject(cost, of: ["input", "output", "total"]) {
            rule.inputCost = strings("input", of: cost)
            rule.outputCost = strings("output", of: cost)
            rule.totalCost = strings("total", of: cost)
        }
        return rule
    }

    fileprivate mutating func modelRule(_ place: NodePlace) -> ModelRule? {
        guard expectObject(place, of: ["rule", "model", "model_in", "provider"]), let name = string("rule", of: place)
        else {
            return nil
        }
        var rule = ModelRule(name: name, model: strings("model", of: place), provider: strings("provider", of: place))
        rule.modelIn = strings("model_in", of: place)
        return rule
    }

    fileprivate mutating func textRule(_ place: NodePlace) -> TextRule? {
        guard expectObject(place, of: ["rule", "attribute", "root_only"]), let name = string("rule", of: place),
            let attribute = string("attribute", of: place)
        else { return nil }
        return TextRule(name: name, attribute: attribute, rootOnly: flag("root_only", of: place))
    }
}
