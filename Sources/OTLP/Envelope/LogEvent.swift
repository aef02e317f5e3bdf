import Basics

/// A log record as OpenTelemetry's events are: what happened, when, in which span, and what it says.
package struct LogEvent: Sendable {
    /// The bytes of the name: the attribute `event.name`, else the field `event_name`; empty for none.
    package fileprivate(set) var name = 0..<0
    /// Nanoseconds since 1970: when it happened, else when it was observed.
    package fileprivate(set) var time: UInt64 = 0
    /// The `AnyValue` message; empty where there is none.
    package fileprivate(set) var body = 0..<0
    /// The whole record.
    package fileprivate(set) var field = 0..<0

    fileprivate init() {}
}

extension Envelope {
    /// Reads a unit of an envelope of logs as an event.
    package func logEvent(_ unit: Int) -> LogEvent {
        var event = LogEvent()
        event.read(self.unit(unit).frame.content, bytes.span.bytes)
        event.field = self.unit(unit).frame.field
        if let named = attribute("event.name", in: self.unit(unit).attributes),
            case .string(let name) = value(of: named)
        {
            event.name = name
        }
        return event
    }
}

extension LogEvent {
    fileprivate mutating func read(_ record: Range<Int>, _ text: RawSpan) {
        var observed: UInt64 = 0
        var reader = WireCursor(record)
        func next() throws(WireError) {
            switch try reader.tag(in: text) {
            case 0x09: time = try reader.fixed64(in: text)
            case 0x59: observed = try reader.fixed64(in: text)
            case 0x2A: body = try reader.content(in: text)
            case 0x62: name = try reader.content(in: text)
            case let tag: try reader.skip(tag, in: text)
            }
        }
        while !reader.isAtEnd, (try? next()) != nil {}
        if time == 0 { time = observed }
    }
}
