import Basics
package import OTLP

/// A span as it would reach MLflow, its values as JSON.
package struct ReadSpan {
    package let trace: TraceID
    package let id: SpanID
    package let parent: SpanID?
    package let name: String
    package let status: Int
    package let statusMessage: String
    package var attributes: [String: String] = [:]
    /// The keys in their order, repeated ones included.
    package var keys: [String] = []
    package var events: [(name: String, attributes: [String: String])] = []

    package var isRoot: Bool { parent == nil }

    package subscript(key: String) -> String? { attributes[key] }
}

/// Everything of a request, span by span.
package func readSpans(_ bytes: [UInt8]) throws -> [ReadSpan] {
    let batch = try SpanBatch(bytes)
    return batch.spans.map { span in
        var read = ReadSpan(
            trace: span.traceID,
            id: span.spanID,
            parent: span.parentID,
            name: batch.text(span.name),
            status: span.statusCode,
            statusMessage: batch.text(span.statusMessage)
        )
        for index in span.attributes {
            let key = batch.text(batch.attributes[index].key)
            read.keys.append(key)
            read.attributes[key] = json(batch.attributes[index].value, batch)
        }
        for event in batch.events[span.events] {
            let pairs = event.attributes.map {
                (batch.text(batch.attributes[$0].key), json(batch.attributes[$0].value, batch))
            }
            read.events.append((batch.text(event.name), Dictionary(pairs) { $1 }))
        }
        return read
    }
}

/// An `AnyValue` as JSON; an empty one as `null`.
package func json(_ value: Range<Int>, _ batch: SpanBatch) -> String {
    var writer = JSONWriter()
    write(value, batch.bytes.span.bytes, &writer)
    return writer.text
}

private func write(_ value: Range<Int>, _ bytes: RawSpan, _ writer: inout JSONWriter) {
    switch AttributeValue(value, in: bytes) {
    case .empty: writer.null()
    case .string(let range): writer.string(bytes, range)
    case .bool(let value): writer.bool(value)
    case .int(let value): writer.integer(value)
    case .double(let value): writer.double(value)
    case .bytes(let range): writer.string("\(range.count) bytes")
    case .array(let range):
        writer.beginArray()
        bytes.forEachElement(of: range) { write($0, bytes, &writer) }
        writer.endArray()
    case .keyValueList(let range):
        writer.beginObject()
        bytes.forEachMember(of: range) { key, value in
            writer.key(bytes.text(key))
            write(value, bytes, &writer)
        }
        writer.endObject()
    }
}
