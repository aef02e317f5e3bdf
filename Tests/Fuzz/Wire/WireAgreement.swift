import Basics
import Foundation
import Oracle

@testable import OTLP

/// Compares the index with what swift-protobuf reads.
enum WireAgreement {
    /// Values that are given in parts are left out unless `readsValues`: the index shows their last part.
    static func check(_ batch: SpanBatch, _ request: Request, readsValues: Bool) {
        let scopes = request.resourceSpans.flatMap(\.scopeSpans)
        let spans = scopes.flatMap(\.spans)
        require(batch.resources.count == request.resourceSpans.count, "other resources")
        require(batch.scopes.count == scopes.count, "other scopes")
        require(batch.spans.count == spans.count, "other spans")
        for (entry, message) in zip(batch.resources, request.resourceSpans) {
            attributes(batch, entry.attributes, message.resource.attributes, readsValues)
        }
        for (entry, message) in zip(batch.scopes, scopes) {
            require(batch.text(entry.name) == message.scope.name, "another scope's name")
            require(batch.text(entry.version) == message.scope.version, "another scope's version")
            attributes(batch, entry.attributes, message.scope.attributes, readsValues)
        }
        for (entry, message) in zip(batch.spans, spans) { span(batch, entry, message, readsValues) }
    }

    private static func span(_ batch: SpanBatch, _ entry: SpanEntry, _ message: Span, _ readsValues: Bool) {
        require(entry.traceID.description == hexadecimal(message.traceID), "another trace id")
        require(entry.spanID.description == hexadecimal(message.spanID), "another span id")
        let parent = message.parentSpanID.contains { $0 != 0 } ? hexadecimal(message.parentSpanID) : nil
        require(entry.parentID?.description == parent, "another parent")
        require(batch.text(entry.name) == message.name, "another name")
        require(batch.text(entry.traceState) == message.traceState, "another trace state")
        require(entry.start == message.startTimeUnixNano && entry.end == message.endTimeUnixNano, "another time")
        require(entry.kind == message.kind.rawValue, "another kind")
        require(entry.statusCode == message.status.code.rawValue, "another status")
        require(batch.text(entry.statusMessage) == message.status.message, "another status message")
        attributes(batch, entry.attributes, message.attributes, readsValues)
        require(entry.events.count == message.events.count, "other events")
        for (index, event) in zip(entry.events, message.events) {
            require(batch.events[index].time == event.timeUnixNano, "another event's time")
            require(batch.text(batch.events[index].name) == event.name, "another event's name")
            attributes(batch, batch.events[index].attributes, event.attributes, readsValues)
        }
    }

    private static func attributes(
        _ batch: SpanBatch,
        _ range: Range<Int>,
        _ messages: [KeyValue],
        _ readsValues: Bool
    ) {
        require(range.count == messages.count, "other attributes")
        for (index, message) in zip(range, messages) {
            require(batch.text(batch.attributes[index].key) == message.key, "another key")
            guard readsValues else { continue }
            require(isSame(message.value, batch.attributes[index].value, batch.bytes.span.bytes), "another value")
        }
    }

    private static func isSame(_ value: AnyValue, _ range: Range<Int>, _ text: RawSpan) -> Bool {
        switch (value.value, AttributeValue(range, in: text)) {
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
                && zip(array.values, elements).allSatisfy { isSame($0, $1, text) }
        case (.kvlistValue(let list), .keyValueList(let range)):
            var members: [(key: Range<Int>, value: Range<Int>)] = []
            text.forEachMember(of: range) { members.append(($0, $1)) }
            return members.count == list.values.count
                && zip(list.values, members).allSatisfy {
                    $0.key == text.text($1.key) && isSame($0.value, $1.value, text)
                }
        default: return false
        }
    }

    private static func hexadecimal(_ data: Data) -> String {
        data.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
