/// Protobuf bodies written by hand, field by field.
enum Body {
    static func varint(_ number: Int, _ value: Int) -> [UInt8] { leb(number << 3) + leb(value) }
    static func bytes(_ number: Int, _ content: [UInt8]) -> [UInt8] {
        leb(number << 3 | 2) + leb(content.count) + content
    }
    static func text(_ number: Int, _ content: String) -> [UInt8] { bytes(number, Array(content.utf8)) }
    static func fixed(_ number: Int, _ value: UInt64) -> [UInt8] {
        leb(number << 3 | 1) + (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    static func attribute(_ field: Int, _ key: String, _ value: [UInt8]) -> [UInt8] {
        bytes(field, text(1, key) + bytes(2, value))
    }

    /// One request with one resource and scope.
    static func request(service: String, _ spans: [UInt8]...) -> [UInt8] {
        let resource = bytes(1, attribute(1, "service.name", text(1, service)))
        return bytes(1, resource + bytes(2, spans.flatMap { bytes(2, $0) }))
    }

    /// One span of the trace whose id is all ones.
    static func span(
        _ id: UInt8,
        parent: UInt8? = nil,
        trace: UInt8 = 1,
        _ name: String,
        start: UInt64 = 1_000_000_000,
        end: UInt64 = 2_000_000_000,
        kind: Int = 0,
        error: String? = nil,
        _ attributes: [UInt8]...
    ) -> [UInt8] {
        var span = bytes(1, Array(repeating: trace, count: 16)) + bytes(2, Array(repeating: id, count: 8))
        if let parent { span += bytes(4, Array(repeating: parent, count: 8)) }
        span += text(5, name) + varint(6, kind) + fixed(7, start) + fixed(8, end) + attributes.flatMap { $0 }
        if let error { span += bytes(15, text(2, error) + varint(3, 2)) }
        return span
    }

    private static func leb(_ value: Int) -> [UInt8] {
        var rest = UInt(value)
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }
}
