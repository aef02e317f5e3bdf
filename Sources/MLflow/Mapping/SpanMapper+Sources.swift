import Basics
import Conditions
import OTLP

// Where content stands.

extension SpanMapper {
    /// The root of a source: one attribute, a flattened list, an object put together, or what an event carries.
    mutating func node(_ source: MappingRules.Source, of index: Int, _ bytes: RawSpan) -> Int? {
        switch source.origin {
        case .attribute(let key):
            guard let attribute = scan[key],
                case let value = attributes[attribute].value,
                source.shape != .tools || mayHold(source, value, bytes),
                case let isJSON = source.isJSON || source.isQuoted && content.isQuoted(value, bytes),
                let root = content.tree(of: value, isJSON: isJSON, bytes)
            else { return nil }
            let path = source.path.map { rules.words[$0] }
            guard let node = path.map({ content.tape.node(at: $0, of: root, bytes) }) ?? root,
                content.tape.nodes[node].kind != .null
            else { return nil }
            guard let inner = opened(node, source, of: index, bytes) else { return nil }
            use(attribute)
            return inner
        case .flattened(let family, let unwrap):
            guard
                let node = content.flattened.build(
                    family,
                    unwrap: unwrap.range.map { rules.words[Int(rules.numbers[$0])] },
                    on: &content.tape,
                    of: bytes
                )
            else {
                return nil
            }
            if tracksUse {
                used += content.flattened.entries.filter { $0.family == family }.map(\.attribute)
            }
            return node
        case .object(let members): return object(members, bytes)
        case .events(let sources): return node(events: sources.range, of: index, bytes)
        }
    }

    /// Whether a value may have the member that a source is: a text in which its name does not stand is not taken apart for it.
    private mutating func mayHold(_ source: MappingRules.Source, _ value: Range<Int>, _ bytes: RawSpan) -> Bool {
        guard let path = source.path, case .string(let text) = AttributeValue(value, in: bytes) else { return true }
        content.tape.account.steps &+= text.count &>> 4
        return bytes.hasQuoted(rules.words[path].prefix { $0 != UInt8(ascii: ".") }, in: text)
    }

    /// What stands inside of the wrappers that a source knows; nil where they hold nothing.
    mutating func opened(_ node: Int, _ source: MappingRules.Source, of index: Int, _ bytes: RawSpan) -> Int? {
        if source.isJSON, let list = content.tape.appendElements(asJSON: node, bytes) { return list }
        guard !source.wrappers.range.isEmpty else { return node }
        let isTool = outcome.spans[index].type == "TOOL"
        return content.tape.opened(node, by: rules.wrappers[source.wrappers.range], ofTool: isTool, bytes)
    }

    /// The first attribute of a list of keys that is there.
    mutating func firstAttribute(_ keys: NumberList) -> Int? {
        for index in keys.range {
            if let attribute = scan[Int(rules.numbers[index])] { return attribute }
        }
        return nil
    }

    /// What the first event that has one of the sources' attributes carries there.
    private mutating func node(events sources: Range<Int>, of index: Int, _ bytes: RawSpan) -> Int? {
        for event in spans[index].events {
            guard let id = rules.eventNames.find(bytes, events[event].name),
                let source = sources.first(where: { rules.events[$0].event == id }).map({ rules.events[$0] }),
                let name = source.attribute.map({ rules.words[$0] })
            else { continue }
            if let value = value(of: name, in: events[event].attributes, bytes),
                let node = content.append(value: value, bytes)
            {
                return node
            }
        }
        return nil
    }

    /// The object that attributes are put together to; nil where none of them says anything.
    private mutating func object(_ members: NumberList, _ bytes: RawSpan) -> Int? {
        let node = content.tape.begin(.object)
        var isEmpty = true
        for index in stride(from: members.range.lowerBound, to: members.range.upperBound, by: 2) {
            guard let attribute = scan[Int(rules.numbers[index + 1])] else { continue }
            let start = content.tape.nodes.count
            content.tape.appendName(ownWord: rules.words[Int(rules.numbers[index])])
            if content.append(value: attributes[attribute].value, bytes) == nil {
                content.tape.truncate(to: start)
            } else {
                isEmpty = false
                use(attribute)
            }
        }
        content.tape.end(node)
        if isEmpty { content.tape.truncate(to: node) }
        return isEmpty ? nil : node
    }
}

extension RawSpan {
    /// Whether a word stands anywhere in quotes.
    fileprivate func hasQuoted(_ word: ArraySlice<UInt8>, in text: Range<Int>) -> Bool {
        let quote = UInt8(ascii: "\"")
        var offset = text.lowerBound
        while true {
            offset = endOfStringRun(from: offset, to: text.upperBound)
            let end = offset + 1 + word.count
            guard end < text.upperBound else { return false }
            if byte(at: offset) == quote, byte(at: end) == quote, equals(word, offset + 1..<end) { return true }
            offset += 1
        }
    }
}
