import Basics
import OTLP

/// Reads a JSON object as `KeyValue` messages.
struct JSONMembers {
    /// An object or array that is not closed yet.
    private struct Container {
        let isObject: Bool
        /// The name of the member whose value comes next.
        var key: [UInt8] = []
        /// The fields so far.
        var content: [UInt8] = []
    }

    private var open: [Container] = []
    /// The fields of the object, each with the tag of an element.
    private(set) var fields: [UInt8] = []

    /// Nil where the text is no object, is no JSON, or is nested deeper than a receiver allows.
    init?(_ text: RawSpan, _ range: Range<Int>) {
        guard !range.isEmpty, text.byte(at: range.lowerBound) == UInt8(ascii: "{") else { return nil }
        let text = text.extracting(range)
        var scanner = JSONScanner()
        while true {
            guard let token = try? scanner.next(in: text), scanner.depth < WireLimits.standard.nestingMax else {
                return nil
            }
            switch token {
            case .objectStart: open.append(Container(isObject: true))
            case .arrayStart: open.append(Container(isObject: false))
            case .objectEnd, .arrayEnd: close()
            case .key(let name): open[open.count - 1].key = Array(name.value(in: text).utf8)
            case .string(let value): add(0x0A, Array(value.value(in: text).utf8))
            case .number(let digits): add(number: text.text(digits))
            case .bool(let value): add([0x10, value ? 1 : 0])
            case .null: add([])
            case .end: return
            }
        }
    }

    private mutating func close() {
        guard let closed = open.popLast() else { return }
        if open.isEmpty { fields = closed.content } else { add(closed.isObject ? 0x32 : 0x2A, closed.content) }
    }

    private mutating func add(number digits: String) {
        if let whole = Int64(digits) {
            var value: [UInt8] = [0x18]
            value.appendVarint(UInt64(bitPattern: whole))
            add(value)
        } else {
            var value: [UInt8] = [0x21]
            value.appendFixed64((Double(digits) ?? 0).bitPattern)
            add(value)
        }
    }

    private mutating func add(_ tag: UInt8, _ content: [UInt8]) {
        var value: [UInt8] = []
        value.append(field: tag, content)
        add(value)
    }

    /// Adds an `AnyValue` to the innermost container.
    private mutating func add(_ value: [UInt8]) {
        guard let last = open.indices.last else { return }
        guard open[last].isObject else { return open[last].content.append(field: 0x0A, value) }
        var member: [UInt8] = []
        member.append(field: 0x0A, open[last].key)
        member.append(field: 0x12, value)
        open[last].content.append(field: 0x0A, member)
    }
}
