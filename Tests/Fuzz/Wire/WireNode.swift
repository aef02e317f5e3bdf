import Basics

@testable import OTLP

/// A message in wire form as a tree: changed anywhere, it is written again with lengths that fit.
final class WireNode {
    /// One field.
    struct Item {
        var number: Int
        /// The wire type, groups included.
        var form: Int
        /// What follows the tag, and the length where there is one.
        var content: [UInt8]
        /// The message inside, which then counts instead of `content`.
        var child: WireNode?
        /// How many bytes longer than necessary its tag is written.
        var padding = 0
    }

    let type: MessageType
    var items: [Item] = []
    /// What cannot be read.
    var tail: [UInt8] = []

    init(_ type: MessageType) { self.type = type }

    init(_ bytes: [UInt8], _ type: MessageType, depth: Int = 0) {
        self.type = type
        let schema = MessageSchema.all[type.rawValue]
        var reader = WireReader(0..<bytes.count)
        var end = 0
        while let field = try? reader.next(in: bytes.span.bytes) {
            end = field.field.upperBound
            let content = Array(bytes[field.content])
            var item = Item(number: field.number, form: Int(field.form.rawValue), content: content)
            let known = schema.fields.first { $0.number == field.number }
            if case .message(let child) = known?.kind, field.form == .lengthDelimited, depth < 200 {
                item.child = WireNode(content, child, depth: depth + 1)
            }
            items.append(item)
        }
        tail = Array(bytes[end...])
    }

    /// The wire form.
    var bytes: [UInt8] {
        var output: [UInt8] = []
        for item in items {
            output += Self.varint(item.number << 3 | item.form, padding: item.padding)
            let content = item.child?.bytes ?? item.content
            if item.form == 2 { output += Self.varint(content.count, padding: item.padding) }
            output += content
        }
        return output + tail
    }

    /// A varint, `padding` bytes longer than it must be.
    static func varint(_ value: Int, padding: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendVarint(value)
        guard padding > 0 else { return bytes }
        bytes[bytes.count - 1] |= 0x80
        return bytes + [UInt8](repeating: 0x80, count: padding - 1) + [0]
    }

    /// All messages of the tree, this one first.
    var all: [WireNode] { [self] + items.flatMap { $0.child?.all ?? [] } }
}
