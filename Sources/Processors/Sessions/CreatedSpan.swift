import Basics
import OTLP

/// A span that is made of log records, in wire form.
struct CreatedSpan {
    let id: SpanID
    let parent: SpanID?
    let name: String
    /// Nanoseconds since 1970.
    var start: UInt64
    var end: UInt64
    /// Why it failed; nil where it did not.
    var failure: String?
    private var attributes: [UInt8] = []

    init(_ id: SpanID, below parent: SpanID?, _ name: String, start: UInt64, end: UInt64) {
        (self.id, self.parent, self.name) = (id, parent, name)
        (self.start, self.end) = (start, end)
    }

    /// Adds an attribute where there is a value.
    mutating func set(_ key: StaticString, _ text: String?) {
        guard let text else { return }
        var value: [UInt8] = []
        value.append(field: 0x0A, Array(text.utf8))
        add(key, value)
    }

    mutating func set(_ key: StaticString, count: Double?) {
        guard let count, let whole = Int64(exactly: count.rounded()) else { return }
        var value: [UInt8] = [0x18]
        value.appendVarint(UInt64(bitPattern: whole))
        add(key, value)
    }

    mutating func set(_ key: StaticString, amount: Double?) {
        guard let amount else { return }
        var value: [UInt8] = [0x21]
        value.appendFixed64(amount.bitPattern)
        add(key, value)
    }

    /// Says that nobody sent it.
    mutating func markCreated() { add("millrace.created", [0x10, 1]) }

    /// A message as OpenTelemetry writes it.
    mutating func set(_ key: StaticString, role: String, saying text: String?) {
        guard let text else { return }
        var writer = JSONWriter()
        writer.beginArray()
        writer.beginObject()
        writer.key("role")
        writer.string(role)
        writer.key("parts")
        writer.beginArray()
        writer.beginObject()
        writer.key("type")
        writer.string("text")
        writer.key("content")
        writer.string(text)
        writer.endObject()
        writer.endArray()
        writer.endObject()
        writer.endArray()
        set(key, String(decoding: writer.bytes, as: UTF8.self))
    }

    private mutating func add(_ key: StaticString, _ value: [UInt8]) {
        var field: [UInt8] = []
        field.append(field: 0x0A, Array("\(key)".utf8))
        field.append(field: 0x12, value)
        attributes.append(field: 0x4A, field)
    }

    /// A `Span` message.
    func message(in trace: TraceID) -> [UInt8] {
        var message: [UInt8] = []
        message.append(field: 0x0A, Self.bytes(trace.high) + Self.bytes(trace.low))
        message.append(field: 0x12, Self.bytes(id.value))
        if let parent { message.append(field: 0x22, Self.bytes(parent.value)) }
        message.append(field: 0x2A, Array(name.utf8))
        // An internal span.
        message += [0x30, 1, 0x39]
        message.appendFixed64(start)
        message.append(0x41)
        message.appendFixed64(max(start, end))
        message += attributes
        if let failure {
            var status: [UInt8] = []
            status.append(field: 0x12, Array(failure.utf8))
            status += [0x18, 2]
            message.append(field: 0x7A, status)
        }
        return message
    }

    private static func bytes(_ word: UInt64) -> [UInt8] {
        stride(from: UInt64(56), through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> $0) }
    }
}
