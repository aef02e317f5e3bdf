import Basics
import Settings

extension NodeReader {
    private static let shapes: [ContentSource.Shape] = [.value, .chat, .auto, .documents]

    mutating func contentRule(_ place: NodePlace) -> ContentRule? {
        guard expectObject(place, of: ["rule", "when", "inputs", "outputs", "tools"]) else { return nil }
        return contentSources(place, name: ruleName(place))
    }

    /// The sources that an object has, whatever else it has.
    mutating func contentSources(_ place: NodePlace, name: String) -> ContentRule {
        var rule = ContentRule(name: name)
        rule.inputs = place["inputs"].flatMap { contentSource($0, shapes: Self.shapes) }
        rule.outputs = place["outputs"].flatMap { contentSource($0, shapes: Self.shapes) }
        rule.tools = place["tools"].flatMap { contentSource($0, shapes: [.tools]) }
        return rule
    }

    private mutating func contentSource(_ place: NodePlace, shapes: [ContentSource.Shape]) -> ContentSource? {
        if let attribute = place.node.string, !attribute.isEmpty {
            return ContentSource(origin: .attribute(attribute), shape: shapes.contains(.auto) ? .auto : shapes[0])
        }
        let members = [
            "attribute", "path", "json", "flattened", "unwrap", "object", "events", "as", "only", "join", "media_type",
            "instructions", "parameters", "finish_reasons", "open", "quoted", "whole",
        ]
        guard expectObject(place, of: members), let origin = contentOrigin(place) else { return nil }
        var source = ContentSource(origin: origin, shape: shapes[0])
        if let shape = word("as", of: place, among: shapes, "shape of content") { source.shape = shape }
        if let portion = word("only", of: place, among: ContentSource.Portion.allCases, "portion of messages") {
            source.portion = portion
        }
        source.path = optionalString("path", of: place)
        source.isJSON = flag("json", of: place)
        source.isQuoted = flag("quoted", of: place)
        source.whole = optionalString("whole", of: place)
        source.isJoined = flag("join", of: place)
        source.mediaType = optionalString("media_type", of: place)
        source.instructions = optionalString("instructions", of: place)
        source.parameters = strings("parameters", of: place)
        source.finishReasons = strings("finish_reasons", of: place)
        source.wrappers = wrappers(of: place)
        return source
    }

    private mutating func word<Word: RawRepresentable<String>>(
        _ name: String,
        of place: NodePlace,
        among words: [Word],
        _ what: String
    ) -> Word? {
        guard let text = optionalString(name, of: place) else { return nil }
        if let known = words.first(where: { $0.rawValue == text }) { return known }
        let allowed = words.map(\.rawValue).joined(separator: ", ")
        report(place[name] ?? place, "\"\(text)\" is no \(what); allowed: \(allowed)")
        return nil
    }

    private mutating func contentOrigin(_ place: NodePlace) -> ContentSource.Origin? {
        if let attribute = optionalString("attribute", of: place) { return .attribute(attribute) }
        if let prefix = optionalString("flattened", of: place) {
            return .flattened(prefix: prefix, unwrap: strings("unwrap", of: place))
        }
        if let object = place["object"], let members = object.members, !members.isEmpty {
            return .object(
                members.compactMap { name, _ in string(name, of: object).map { (name: name, attribute: $0) } }
            )
        }
        guard let events = place["events"], let members = events.members, !members.isEmpty else {
            report(place, "one of \"attribute\", \"flattened\", \"object\" and \"events\" is expected")
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
}
