import Basics
import Foundation
import Oracle
import Testing

@testable import OTLP

/// Compares every field of the index with what swift-protobuf decodes.
func expectAgreement<Message: OracleRequest>(_ batch: SpanBatch, _ request: Message) {
    var scope = 0
    var unit = 0
    #expect(batch.resources.count == request.groups.count)
    for (resource, group) in request.groups.enumerated() {
        expectAttributes(batch, batch.resources[resource].attributes, group.resource.attributes)
        #expect(batch.resources[resource].scopes == scope..<scope + group.groups.count)
        for group in group.groups {
            let entry = batch.scopes[scope]
            #expect(entry.resource == resource)
            #expect(batch.text(entry.name) == group.scope.name)
            #expect(batch.text(entry.version) == group.scope.version)
            expectAttributes(batch, entry.attributes, group.scope.attributes)
            #expect(entry.units == unit..<unit + group.units.count)
            for message in group.units {
                #expect(batch.unit(unit).scope == scope)
                expectUnit(batch, unit, message)
                if let span = message as? Span { expectSpan(batch, unit, span) }
                unit += 1
            }
            scope += 1
        }
    }
    #expect(batch.scopes.count == scope)
    #expect(batch.unitCount == unit)
    #expect(batch.spans.count == (Message.signal == .traces ? unit : 0))
    #expect(batch.itemCount == request.items)
}

private func expectUnit(_ batch: SpanBatch, _ index: Int, _ message: some OracleUnit) {
    let entry = batch.unit(index)
    let (trace, span) = message.ids
    #expect(entry.traceID.description == (trace.isEmpty ? String(repeating: "0", count: 32) : trace.hexadecimal))
    #expect(entry.spanID.description == (span.isEmpty ? String(repeating: "0", count: 16) : span.hexadecimal))
    #expect(entry.items == message.items)
    #expect(entry.flaw == nil)
    expectAttributes(batch, entry.attributes, message.ownAttributes)
}

private func expectSpan(_ batch: SpanBatch, _ index: Int, _ message: Span) {
    let entry = batch.spans[index]
    let parent = message.parentSpanID.contains { $0 != 0 } ? message.parentSpanID.hexadecimal : nil
    #expect(entry.parentID?.description == parent)
    #expect(batch.text(entry.name) == message.name)
    #expect(batch.text(entry.traceState) == message.traceState)
    #expect(entry.start == message.startTimeUnixNano)
    #expect(entry.end == message.endTimeUnixNano)
    #expect(entry.kind == message.kind.rawValue)
    #expect(entry.statusCode == message.status.code.rawValue)
    #expect(batch.text(entry.statusMessage) == message.status.message)
    #expect(entry.events.count == message.events.count)
    for (index, event) in zip(entry.events, message.events) {
        #expect(batch.events[index].time == event.timeUnixNano)
        #expect(batch.text(batch.events[index].name) == event.name)
        expectAttributes(batch, batch.events[index].attributes, event.attributes)
    }
}

private func expectAttributes(_ batch: SpanBatch, _ range: Range<Int>, _ messages: [KeyValue]) {
    #expect(range.count == messages.count)
    for (index, message) in zip(range, messages) {
        #expect(batch.text(batch.attributes[index].key) == message.key)
        let isSame = message.value.isSame(as: batch.attributes[index].value, in: batch.bytes.span.bytes)
        #expect(isSame, "\(message)")
    }
}

extension AnyValue {
    /// Whether the `AnyValue` message in `range` reads the same as this one.
    func isSame(as range: Range<Int>, in text: RawSpan) -> Bool {
        switch (value, AttributeValue(range, in: text)) {
        case (nil, .empty): return true
        case (.stringValue(let string), .string(let range)): return string == text.text(range)
        case (.boolValue(let bool), .bool(let other)): return bool == other
        case (.intValue(let int), .int(let other)): return int == other
        case (.doubleValue(let double), .double(let other)): return double.bitPattern == other.bitPattern
        case (.bytesValue(let bytes), .bytes(let range)): return Array(bytes) == range.map { text.byte(at: $0) }
        case (.arrayValue(let array), .array(let range)):
            var elements: [Range<Int>] = []
            text.forEachElement(of: range) { elements.append($0) }
            return elements.count == array.values.count
                && zip(array.values, elements).allSatisfy { $0.isSame(as: $1, in: text) }
        case (.kvlistValue(let list), .keyValueList(let range)):
            var members: [(key: Range<Int>, value: Range<Int>)] = []
            text.forEachMember(of: range) { members.append(($0, $1)) }
            return members.count == list.values.count
                && zip(list.values, members).allSatisfy {
                    $0.key == text.text($1.key) && $0.value.isSame(as: $1.value, in: text)
                }
        default: return false
        }
    }
}

extension Data {
    /// Two lower-case digits for each byte.
    var hexadecimal: String { map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() }
}
