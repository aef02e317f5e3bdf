import Basics
import Foundation
import Oracle

@testable import OTLP

/// Writes a request otherwise, in every way that protobuf allows, so that it still means the same.
struct WireMangler {
    var random: SeededGenerator
    private let schemas = MessageSchema.all

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func request(_ bytes: [UInt8], _ signal: Signal = .traces) throws -> [UInt8] {
        try message(bytes, MessageType(requestOf: signal))
    }

    /// Rewrites one message: fields shuffled, lengths padded, unknown fields strewn in, some submessages split.
    private mutating func message(_ bytes: [UInt8], _ type: MessageType) throws -> [UInt8] {
        let schema = schemas[type.rawValue]
        var fields: [(number: Int, bytes: [UInt8])] = []
        var reader = WireReader(0..<bytes.count)
        while let field = try reader.next(in: bytes.span.bytes) {
            let content = Array(bytes[field.content])
            let known = schema.fields.first { $0.number == field.number }
            if let known, known.isPackable, field.form == .lengthDelimited {
                fields += try numbers(known, content).map { (field.number, $0) }
                continue
            }
            guard let known, case .message(let child) = known.kind else {
                fields.append(
                    (field.number, tagged(tag(of: field), content, isLengthDelimited: field.form == .lengthDelimited))
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

    private func tag(of field: WireField) -> Int { field.number << 3 | Int(field.form.rawValue) }

    /// Packed numbers as they are, in two parts, or each in a field of its own.
    private mutating func numbers(_ field: FieldSchema, _ content: [UInt8]) throws -> [[UInt8]] {
        var numbers: [[UInt8]] = []
        var cursor = WireCursor(0..<content.count)
        while !cursor.isAtEnd {
            let start = cursor.offset
            _ = try cursor.number(field.kind.wireType, in: content.span.bytes)
            numbers.append(Array(content[start..<cursor.offset]))
        }
        let packed = field.number << 3 | Int(WireType.lengthDelimited)
        switch random.below(3) {
        case 0: return numbers.map { tagged(field.tag, $0, isLengthDelimited: false) }
        case 1:
            let parts = [numbers.prefix(numbers.count / 2), numbers.suffix(numbers.count - numbers.count / 2)]
            return parts.map { tagged(packed, $0.flatMap { $0 }, isLengthDelimited: true) }
        default: return [tagged(packed, content, isLengthDelimited: true)]
        }
    }

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
        let merged: [MessageType] = [
            .resource, .scope, .status, .gauge, .sum, .histogram, .exponentialHistogram, .summary, .buckets,
        ]
        guard merged.contains(type), !isRepeated, random.chance(30) else { return [content] }
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
