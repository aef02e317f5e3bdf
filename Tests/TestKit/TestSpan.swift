import Basics
import OTLP

/// A value of an attribute, written down in a test.
package indirect enum TestValue: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    case string(String)
    case int(Int64)
    case double(Double)
    case bool(Bool)
    case array([TestValue])
    case members([(String, TestValue)])
    case empty

    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(floatLiteral value: Double) { self = .double(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: TestValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, TestValue)...) { self = .members(elements) }

    /// The `AnyValue` message.
    package var wire: [UInt8] {
        switch self {
        case .string(let value): return field(0x0A, Array(value.utf8))
        case .bool(let value): return [0x10, value ? 1 : 0]
        case .int(let value):
            var bytes: [UInt8] = [0x18]
            bytes.appendVarint(UInt64(bitPattern: value))
            return bytes
        case .double(let value):
            var bytes: [UInt8] = [0x21]
            bytes.appendFixed64(value.bitPattern)
            return bytes
        case .array(let values): return field(0x2A, values.flatMap { field(0x0A, $0.wire) })
        case .members(let members): return field(0x32, members.flatMap { field(0x0A, keyValue($0.0, $0.1)) })
        case .empty: return []
        }
    }
}

private func field(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [tag]
    bytes.appendVarint(content.count)
    return bytes + content
}

private func keyValue(_ key: String, _ value: TestValue) -> [UInt8] {
    field(0x0A, Array(key.utf8)) + field(0x12, value.wire)
}

/// A span, written down in a test.
///
/// It starts at 1,000 and ends at 2,000 nanoseconds.
package struct TestSpan: Sendable {
    package var name = "span"
    package var id: UInt64 = 1
    package var parent: UInt64 = 0
    package var trace: UInt64 = 7
    package var status = 0
    package var statusMessage = ""
    package var attributes: [(String, TestValue)] = []
    package var traceState = ""
    package var kind = 0
    /// Nanoseconds since 1970.
    package var start: UInt64 = 1000
    package var end: UInt64 = 2000
    package var events: [(String, [(String, TestValue)])] = []
    /// `flags`; nil for a span without.
    package var flags: UInt32?

    package init(
        _ name: String = "span",
        id: UInt64 = 1,
        parent: UInt64 = 0,
        trace: UInt64 = 7,
        _ attributes: KeyValuePairs<String, TestValue> = [:]
    ) {
        self.name = name
        self.id = id
        self.parent = parent
        self.trace = trace
        self.attributes = attributes.map { ($0.key, $0.value) }
    }

    package var wire: [UInt8] {
        var bytes = field(0x0A, bigEndian(0) + bigEndian(trace)) + field(0x12, bigEndian(id))
        if !traceState.isEmpty { bytes += field(0x1A, Array(traceState.utf8)) }
        if parent != 0 { bytes += field(0x22, bigEndian(parent)) }
        bytes += field(0x2A, Array(name.utf8))
        if kind != 0 { bytes += [0x30, UInt8(kind)] }
        bytes.append(0x39)
        bytes.appendFixed64(start)
        bytes.append(0x41)
        bytes.appendFixed64(end)
        for (key, value) in attributes { bytes += field(0x4A, keyValue(key, value)) }
        for (name, attributes) in events {
            bytes += field(0x5A, field(0x12, Array(name.utf8)) + attributes.flatMap { field(0x1A, keyValue($0, $1)) })
        }
        if status != 0 { bytes += field(0x7A, field(0x12, Array(statusMessage.utf8)) + [0x18, UInt8(status)]) }
        if let flags {
            bytes += [0x85, 1]
            bytes.appendFixed32(flags)
        }
        return bytes
    }
}

private func bigEndian(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64(56 - 8 * $0)) }
}

/// A log record of a span, written down in a test.
package struct TestLogRecord: Sendable {
    package var span: UInt64
    package var trace: UInt64 = 7
    package var attributes: [(String, TestValue)]
    package var body: TestValue
    /// Nanoseconds since 1970.
    package var time: UInt64 = 1500

    package init(span: UInt64, _ attributes: KeyValuePairs<String, TestValue>, body: TestValue = .empty) {
        self.span = span
        self.attributes = attributes.map { ($0.key, $0.value) }
        self.body = body
    }

    fileprivate var wire: [UInt8] {
        var bytes: [UInt8] = [0x09]
        bytes.appendFixed64(time)
        bytes += field(0x2A, body.wire)
        for (key, value) in attributes { bytes += field(0x32, keyValue(key, value)) }
        bytes += field(0x4A, bigEndian(0) + bigEndian(trace))
        return span == 0 ? bytes : bytes + field(0x52, bigEndian(span))
    }
}

/// One request with these log records, all of one resource and one instrumentation scope.
package func logsRequest(_ records: [TestLogRecord]) -> [UInt8] {
    field(0x0A, field(0x12, records.flatMap { field(0x12, $0.wire) }))
}

/// One request with these spans, all of one resource and one instrumentation scope.
package func tracesRequest(
    _ spans: [TestSpan],
    resource attributes: KeyValuePairs<String, TestValue> = ["service.name": "shop"],
    scope: String = "tests"
) -> [UInt8] {
    tracesRequest(spans, resource: attributes.map { ($0.key, $0.value) }, scope: scope)
}

/// The same for a resource with attributes that a test makes.
package func tracesRequest(
    _ spans: [TestSpan],
    resource attributes: [(String, TestValue)],
    scope: String = "tests"
) -> [UInt8] {
    let resource = field(0x0A, attributes.flatMap { field(0x0A, keyValue($0.0, $0.1)) })
    let scopeField = field(0x0A, field(0x0A, Array(scope.utf8)))
    return field(0x0A, resource + field(0x12, scopeField + spans.flatMap { field(0x12, $0.wire) }))
}
