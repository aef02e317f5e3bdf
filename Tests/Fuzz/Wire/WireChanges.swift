import Basics
import Oracle

@testable import OTLP

/// Changes a request as a tree of messages, in ways that a client might and in ways that none should.
struct WireChanges {
    var random: SeededGenerator
    /// Fields of another input, by the type of the message they stand in.
    let donors: [WireNode]
    let max: Int

    init(_ random: SeededGenerator, other: [UInt8], max: Int) {
        self.random = random
        donors = other.isEmpty ? [] : WireNode(other, .tracesRequest).all
        self.max = max
    }

    mutating func change(_ root: WireNode) {
        let nodes = root.all
        let node = nodes[random.below(nodes.count)]
        if !donors.isEmpty, random.chance(60) { return take(into: node) }
        guard !node.items.isEmpty else { return insert(into: node) }
        let index = random.below(node.items.count)
        switch random.below(14) {
        case 0: node.items.remove(at: index)
        case 1: node.items.swapAt(index, random.below(node.items.count))
        case 2, 3: changeContent(of: node, index)
        case 4: node.items[index].number = number(in: node)
        case 5: node.items[index].form = [0, 1, 2, 5, 3, 4, 6, 7][random.below(random.chance(80) ? 4 : 8)]
        case 6: node.items[index].padding = random.below(6)
        case 7, 8: insert(into: node)
        case 9: repeatItem(of: node, index)
        case 10: split(node, index)
        case 11: node.items.insert(unknown(), at: index)
        case 12: nest(node, index)
        default: truncate(node, index)
        }
    }

    private mutating func number(in node: WireNode) -> Int {
        let fields = MessageSchema.all[node.type.rawValue].fields
        if random.chance(80) { return fields[random.below(fields.count)].number }
        return [0, 1, 17, 1000, 536_870_911][random.below(5)]
    }

    /// Takes over a field of the other input, from a message of the same type where there is one.
    private mutating func take(into node: WireNode) {
        let same = donors.filter { $0.type == node.type && !$0.items.isEmpty }
        guard !same.isEmpty else { return insert(into: node) }
        let donor = same[random.below(same.count)]
        let item = donor.items[random.below(donor.items.count)]
        node.items.insert(item, at: random.below(node.items.count + 1))
    }

    private mutating func changeContent(of node: WireNode, _ index: Int) {
        node.items[index].child = nil
        var content = node.items[index].content
        switch random.below(5) {
        case 0: content = WireTarget.mutateBytes(content, max: Swift.min(max, content.count + 64))
        case 1: content = []
        case 2 where !content.isEmpty:
            content[random.below(content.count)] = [0, 0x7F, 0x80, 0xC0, 0xFF, 0x22, 0x5C][random.below(7)]
        case 3: content += Array("é\u{1F600}\"\\\n\u{0}".utf8)
        default: content = [UInt8](repeating: UInt8(random.below(256)), count: random.below(200))
        }
        if node.items[index].form == 0, content.isEmpty { content = [0] }
        node.items[index].content = content
    }

    private mutating func repeatItem(of node: WireNode, _ index: Int) {
        let item = node.items[index]
        let size = (item.child?.bytes.count ?? item.content.count) + 2
        let count = Swift.min([1, 2, 3, 17, 300, 5000][random.below(6)], Swift.max(max / 2 / size, 1))
        node.items.insert(contentsOf: repeatElement(item, count: count), at: index)
    }

    /// Gives a message in two parts.
    private mutating func split(_ node: WireNode, _ index: Int) {
        guard let child = node.items[index].child else { return }
        let (first, second) = (WireNode(child.type), WireNode(child.type))
        let border = random.below(child.items.count + 1)
        first.items = Array(child.items[..<border])
        second.items = Array(child.items[border...])
        second.tail = child.tail
        node.items[index].child = first
        var part = node.items[index]
        part.child = second
        node.items.insert(part, at: random.chance(70) ? index + 1 : random.below(node.items.count + 1))
    }

    private mutating func unknown() -> WireNode.Item {
        let number = [19, 900, 100_000][random.below(3)]
        switch random.below(4) {
        case 0: return WireNode.Item(number: number, form: 0, content: WireNode.varint(random.below(1 << 40)))
        case 1: return WireNode.Item(number: number, form: 1, content: Array(random.bytes(8)))
        case 2: return WireNode.Item(number: number, form: 5, content: Array(random.bytes(4)))
        default: return WireNode.Item(number: number, form: 2, content: Array(random.bytes(random.below(40))))
        }
    }

    /// Puts a value into arrays and lists of many levels.
    private mutating func nest(_ node: WireNode, _ index: Int) {
        guard let child = node.items[index].child, child.type == .anyValue else { return }
        var content = child.bytes
        for _ in 0..<[1, 2, 15, 31, 33, 60, 300][random.below(7)] where content.count < max / 2 {
            if random.chance(50) {
                content = field(5, field(1, content))
            } else {
                content = field(6, field(1, field(1, Array("k".utf8)) + field(2, content)))
            }
        }
        node.items[index].child = nil
        node.items[index].content = content
    }

    private func field(_ number: Int, _ content: [UInt8]) -> [UInt8] {
        WireNode.varint(number << 3 | 2) + WireNode.varint(content.count) + content
    }

    private mutating func truncate(_ node: WireNode, _ index: Int) {
        node.items[index].child = nil
        node.items[index].content.removeLast(random.below(node.items[index].content.count + 1))
    }

    /// Puts something in that may stand there.
    private mutating func insert(into node: WireNode) {
        let fields = MessageSchema.all[node.type.rawValue].fields
        let field = fields[random.below(fields.count)]
        var item = WireNode.Item(number: field.number, form: Int(field.kind.wireType), content: [])
        switch field.kind {
        case .string: item.content = Array(word().utf8)
        case .bytes: item.content = Array(random.bytes(random.below(12)))
        case .id(let count): item.content = Array(random.bytes(random.chance(80) ? count : random.below(20)))
        case .bool, .uint32, .sint32, .int64, .uint64, .enumeration:
            item.content = WireNode.varint(Int(truncatingIfNeeded: random.next() >> UInt64(random.below(64))))
        case .fixed32: item.content = Array(random.bytes(4))
        case .fixed64, .sfixed64, .double: item.content = Array(random.bytes(8))
        case .message(let type): item.content = random.chance(20) ? [] : generated(type)
        }
        node.items.insert(item, at: random.below(node.items.count + 1))
    }

    private mutating func word() -> String {
        var source = RandomRequests(seed: random.next())
        return source.text()
    }

    /// A message of the grammar.
    private mutating func generated(_ type: MessageType) -> [UInt8] {
        var source = RandomRequests(seed: random.next())
        switch type {
        case .anyValue: return demand("generating") { try KeyValue("", source.value(depth: 0)).value.wire }
        case .keyValue: return demand("generating") { try KeyValue(source.text(), source.value(depth: 0)).wire }
        case .resourceSpans: return demand("generating") { try (source.resourceGroup() as ResourceSpans).wire }
        case .scopeSpans: return demand("generating") { try (source.scopeGroup() as ScopeSpans).wire }
        case .span: return demand("generating") { try source.span().wire }
        case .event: return demand("generating") { try source.event().wire }
        case .link: return demand("generating") { try source.link().wire }
        default: return []
        }
    }
}
