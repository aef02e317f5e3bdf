import Basics
import Foundation
import Oracle
import Testing

@testable import OTLP

/// Compares every field of the index with what swift-protobuf decodes.
func expectAgreement(_ batch: SpanBatch, _ request: Request) {
    var resource = 0
    var scope = 0
    var span = 0
    for resourceSpans in request.resourceSpans {
        expectAttributes(batch, batch.resources[resource].attributes, resourceSpans.resource.attributes)
        for scopeSpans in resourceSpans.scopeSpans {
            let entry = batch.scopes[scope]
            #expect(entry.resource == resource)
            #expect(batch.text(entry.name) == scopeSpans.scope.name)
            #expect(batch.text(entry.version) == scopeSpans.scope.version)
            expectAttributes(batch, entry.attributes, scopeSpans.scope.attributes)
            #expect(entry.spans == span..<span + scopeSpans.spans.count)
            for message in scopeSpans.spans {
                #expect(batch.spans[span].scope == scope)
                expectSpan(batch, span, message)
                span += 1
            }
            scope += 1
        }
        resource += 1
    }
    #expect(batch.resources.count == resource)
    #expect(batch.scopes.count == scope)
    #expect(batch.spans.count == span)
}

private func expectSpan(_ batch: SpanBatch, _ index: Int, _ message: Span) {
    let entry = batch.spans[index]
    #expect(entry.traceID.description == message.traceID.hexadecimal)
    #expect(entry.spanID.description == message.spanID.hexadecimal)
    let parent = message.parentSpanID.contains { $0 != 0 } ? message.parentSpanID.hexadecimal : nil
    #expect(entry.parentID?.description == parent)
    #expect(batch.text(entry.name) == message.name)
    #expect(batch.text(entry.traceState) == message.traceState)
    #expect(entry.start == message.startTimeUnixNano)
    #expect(entry.end == message.endTimeUnixNano)
    #expect(entry.kind == message.kind.rawValue)
    #expect(entry.statusCode == message.status.code.rawValue)
    #expect(batch.text(entry.statusMessage) == message.status.message)
    #expect(entry.flaw == nil)
    expectAttributes(batch, entry.attributes, message.attributes)
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
