import Basics
import OTLP

extension ContentTape {
    /// Whether a node is text.
    func isText(_ node: Int) -> Bool { nodes[node].kind == .text || nodes[node].kind == .escaped }

    /// The text of a node, where it is exactly `word`.
    func equals(_ node: Int, _ word: StaticString, _ bytes: RawSpan) -> Bool {
        nodes[node].kind == .text && bytes.equals(word, nodes[node].range)
    }

    /// The texts of a list of nothing but parts of text; nil for anything else.
    func texts(of list: Int) -> [Int]? {
        let elements = elements(of: list)
        let texts = elements.compactMap { member(.text, of: $0) }
        return !texts.isEmpty && texts.count == elements.count ? texts : nil
    }

    /// Appends a node as text: text itself, everything else as JSON.
    func appendText(_ node: Int, to text: inout [UInt8], _ bytes: RawSpan) {
        let item = nodes[node]
        switch item.kind {
        case .null: return
        case .text: text.append(bytes, item.range)
        case .escaped: text.append(contentsOf: JSONString(range: item.range, isPlain: false).unescaped(in: bytes))
        case .yes, .no, .number, .scalar, .object, .array: appendJSON(node, to: &text, bytes)
        }
    }

    /// Appends a node as JSON; what came as JSON text keeps its letters.
    func appendJSON(_ node: Int, to text: inout [UInt8], _ bytes: RawSpan) {
        if nodes[node].origin == .json, nodes[node].kind != .text, nodes[node].kind != .escaped {
            text.append(bytes, nodes[node].range)
        } else {
            var writer = JSONWriter()
            write(node, as: &writer, bytes)
            text.append(contentsOf: writer.bytes)
        }
    }

    private func write(_ node: Int, as writer: inout JSONWriter, _ bytes: RawSpan) {
        let item = nodes[node]
        switch item.kind {
        case .null: writer.null()
        case .yes: writer.bool(true)
        case .no: writer.bool(false)
        case .number: writer.raw(bytes.text(item.range))
        case .scalar: writeScalar(item.range, as: &writer, bytes)
        case .text: writer.string(bytes, item.range)
        case .escaped: writer.string(JSONString(range: item.range, isPlain: false).value(in: bytes))
        case .array:
            writer.beginArray()
            for element in elements(of: node) { write(element, as: &writer, bytes) }
            writer.endArray()
        case .object:
            writer.beginObject()
            var key = node + 1
            while key + 1 < item.next {
                writer.key(name(key, bytes))
                write(key + 1, as: &writer, bytes)
                key = nodes[key + 1].next
            }
            writer.endObject()
        }
    }

    /// Whether a node is empty text, or the print of an object: what some emitters write for an argument that nobody gave.
    private func saysNothing(_ node: Int, _ bytes: RawSpan) -> Bool {
        isText(node) && (isEmpty(node) || bytes.isPrintedAddress(nodes[node].range))
    }

    private func name(_ key: Int, _ bytes: RawSpan) -> String {
        if !ownNames.isEmpty, let own = ownNames[key] { return String(decoding: own, as: UTF8.self) }
        return nodes[key].kind == .text
            ? bytes.text(nodes[key].range) : JSONString(range: nodes[key].range, isPlain: false).value(in: bytes)
    }

    private func writeScalar(_ range: Range<Int>, as writer: inout JSONWriter, _ bytes: RawSpan) {
        switch AttributeValue(range, in: bytes) {
        case .int(let value): writer.integer(value)
        case .double(let value): writer.double(value)
        case .bool(let value): writer.bool(value)
        case .bytes(let value): writer.string("\(value.count) bytes")
        case .empty, .string, .array, .keyValueList: writer.null()
        }
    }

    /// Writes a node as a structured value.
    func write(_ node: Int, to builder: inout ValueBuilder, _ bytes: RawSpan) {
        let item = nodes[node]
        switch (item.kind, item.origin) {
        case (.null, _): builder.null()
        case (.yes, _): builder.bool(true)
        case (.no, _): builder.bool(false)
        case (.text, _): builder.string(bytes, item.range)
        case (.escaped, _): builder.string(JSONString(range: item.range, isPlain: false).value(in: bytes))
        case (.number, _): if !builder.json(bytes, item.range) { builder.string(bytes, item.range) }
        case (.scalar, _), (.object, .wire), (.array, .wire): builder.raw(bytes, item.range)
        case (.array, _):
            let array = builder.beginArray()
            var element = node + 1
            while element < item.next, builder.count <= account.bytesStop {
                write(element, to: &builder, bytes)
                element = nodes[element].next
            }
            builder.end(array)
        case (.object, _):
            let object = builder.beginKeyValueList()
            writeMembers(of: node, to: &builder, bytes)
            builder.end(object)
        }
    }

    /// Writes the members of an object, but those of some fields, into the key-value list that is open; with `isSparing` only those
    /// that say something.
    func writeMembers(
        of node: Int,
        except skipped: Set<ContentField> = [],
        isSparing: Bool = false,
        to builder: inout ValueBuilder,
        _ bytes: RawSpan
    ) {
        guard nodes[node].kind == .object else { return }
        var key = node + 1
        while key + 1 < nodes[node].next, builder.count <= account.bytesStop {
            let field = skipped.isEmpty ? nil : ContentField(rawValue: Int(nodes[key].field))
            if field.map({ !skipped.contains($0) }) ?? true, !isSparing || !saysNothing(key + 1, bytes) {
                builder.key(name(key, bytes))
                write(key + 1, to: &builder, bytes)
            }
            key = nodes[key + 1].next
        }
    }
}
