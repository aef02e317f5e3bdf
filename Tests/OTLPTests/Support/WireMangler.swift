import Basics
import Foundation
import Oracle

@testable import OTLP

/// Writes a request otherwise, in every way that protobuf allows, so that it still means the same.
struct WireMangler {
    var random: SeededGenerator
    private let schemas = MessageSchema.all

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func request(_ bytes: [UInt8]) throws -> [UInt8] {
        try message(bytes, .tracesRequest)
    }

    /// Rewrites one message: fields shuffled, lengths padded, unknown fields strewn in, some submessages split.
    private mutating func message(_ bytes: [UInt8], _ type: MessageType) throws -> [UInt8] {
        let schema = schemas[type.rawValue]
        var fields: [(number: Int, bytes: [UInt8])] = []
        var reader = WireReader(0..<bytes.count)
        while let field = try reader.next(in: bytes.span.bytes) {
            let content = Array(bytes[field.content])
            guard let known = schema.fields.first(where: { $0.number == field.number }),
                case .message(let child) = known.kind
            else {
                fields.append(
                    (field.number, tagged(known(field), content, isLengthDelimited: field.form == .lengthDelimited))
                )
                continue
            }
            for part in splits(child, known.isRepeated, content) {
                let body = try message(part, child)
                fields.append((field.number, tagged(field.number << 3 | 2, body, isLengthDelimited: true)))
            }
        }
        while random.chance(15) { fields.append((5000, unknownField())) }
        return shuffled(fields).flatMap(\.bytes)
    }

    private func known(_ field: WireField) -> Int { field.number << 3 | Int(field.form.rawValue) }

    private mutating func tagged(_ tag: Int, _ content: [UInt8], isLengthDelimited: Bool) -> [UInt8] {
        padded(tag) + (isLengthDelimited ? padded(content.count) : []) + content
    }

    /// A varint, sometimes longer than it must be.
    private mutating func padded(_ value: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendVarint(value)
        guard random.chance(10), bytes.count < 5 else { return bytes }
        bytes[bytes.count - 1] |= 0x80
        return bytes + [0]
    }

    private mutating func unknownField() -> [UInt8] {
        var bytes: [UInt8] = []
        let number = 900 + random.below(100)
        switch random.below(4) {
        case 0:
            bytes.appendVarint(number << 3)
            bytes.appendVarint(random.below(100_000))
        case 1:
            bytes.appendVarint(number << 3 | 1)
            bytes.append(contentsOf: random.bytes(8))
        case 2:
            bytes.appendVarint(number << 3 | 5)
            bytes.append(contentsOf: random.bytes(4))
        default:
            bytes.appendVarint(number << 3 | 2)
            let content = random.bytes(random.below(20))
            bytes.appendVarint(content.count)
            bytes.append(contentsOf: content)
        }
        return bytes
    }

    /// The fields of a merged message, spread over two.
    private mutating func splits(_ type: MessageType, _ isRepeated: Bool, _ content: [UInt8]) -> [[UInt8]] {
        let isMerged = [.resource, .scope, .status].contains(type)
        guard isMerged, !isRepeated, random.chance(30) else { return [content] }
        var parts: [[UInt8]] = [[], []]
        var reader = WireReader(0..<content.count)
        while let field = try? reader.next(in: content.span.bytes) {
            let part = parts[1].isEmpty && random.chance(50) ? 0 : 1
            parts[part] += content[field.field]
        }
        return parts
    }

    /// Another order, in which the occurrences of one field keep theirs.
    private mutating func shuffled(_ fields: [(number: Int, bytes: [UInt8])]) -> [(number: Int, bytes: [UInt8])] {
        guard random.chance(40) else { return fields }
        let numbers = fields.map(\.number).shuffled(using: &random)
        var queues = Dictionary(grouping: fields, by: \.number).mapValues { Array($0.reversed()) }
        return numbers.compactMap { queues[$0]?.popLast() }
    }
}
