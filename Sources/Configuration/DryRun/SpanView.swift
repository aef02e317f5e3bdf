import Basics
import OTLP
import Pipeline
import Settings

/// What a span has at one point of its way.
struct SpanView: Sendable {
    /// In the order of the wire; a key may repeat, and then the last one counts.
    let attributes: [JSON.Member]
    /// The names of its events.
    let events: [String]

    /// Of a span that is not looked into.
    init() { (attributes, events) = ([], []) }

    init(_ batch: SpanBatch, _ span: Int) {
        let entry = batch.spans[span]
        attributes = entry.attributes.map { attribute in
            let key = batch.text(batch.attributes[attribute].key)
            return JSON.Member(key, JSON(batch.value(of: attribute), in: batch.bytes.span.bytes))
        }
        events = entry.events.map { batch.text(batch.events[$0].name) }
    }

    /// Each key once, with the value that counts.
    var finalAttributes: [JSON.Member] {
        var last: [String: Int] = [:]
        for (index, member) in attributes.enumerated() { last[member.name] = index }
        return attributes.enumerated().filter { last[$1.name] == $0 }.map(\.element)
    }

    /// The value of an attribute; nil without it.
    subscript(key: String) -> JSON? { attributes.last { $0.name == key }?.value }
}

extension SpanWork {
    /// What the spans would have if they left now, by position; nil for one that is out.
    func views() -> [SpanView?] {
        var views = [SpanView?](repeating: nil, count: batch.spans.count)
        for group in routes.indices.map(UInt16.init) {
            guard let encoded = batch.encoded(group: group), let written = try? SpanBatch(encoded.payload) else {
                continue
            }
            // What is written keeps the order of what came.
            let members = batch.spans.indices.filter { batch.removal(of: $0) == nil && batch.group(of: $0) == group }
            for (span, position) in zip(members, written.spans.indices) { views[span] = SpanView(written, position) }
        }
        return views
    }
}

extension JSON {
    /// An attribute's value; bytes become a text that says how many.
    init(_ value: AttributeValue, in text: RawSpan) {
        switch value {
        case .empty: self = .null
        case .string(let range): self = .text(text.text(range))
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .number("\(value)")
        case .double(let value): self = value.isFinite ? .number(value) : .text("\(value)")
        case .bytes(let range): self = .text("(\(range.count) bytes)")
        case .array(let range):
            var elements: [JSON] = []
            text.forEachElement(of: range) { elements.append(JSON(AttributeValue($0, in: text), in: text)) }
            self = .array(elements)
        case .keyValueList(let range):
            var members: [Member] = []
            text.forEachMember(of: range) { key, value in
                members.append(Member(text.text(key), JSON(AttributeValue(value, in: text), in: text)))
            }
            self = .object(members)
        }
    }
}
