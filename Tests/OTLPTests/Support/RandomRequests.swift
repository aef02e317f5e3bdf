import Foundation
import Oracle
import SwiftProtobuf

/// SplitMix64: the same numbers for the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &self) }
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
    mutating func bytes(_ count: Int) -> Data { Data((0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }) }
}

/// Makes valid requests of every shape that OTLP allows.
struct RandomRequests {
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func request() -> Request { request(Request.self) }

    mutating func request<Message: OracleRequest>(_: Message.Type) -> Message {
        var request = Message()
        request.groups = (0..<random.below(4)).map { _ in resourceGroup() }
        return request
    }

    mutating func text() -> String {
        let words = ["", "a", "service.name", "gen_ai.request.model", "é", "日本語", "\u{1F600}", "\"\\\n\u{1}", "x y"]
        let word = words[random.below(words.count)]
        return random.chance(5) ? String(repeating: word + "-", count: random.below(400)) : word
    }

    mutating func resourceGroup<Message: OracleResourceGroup>() -> Message {
        var message = Message()
        if random.chance(85) {
            message.resource.attributes = attributes()
            message.resource.droppedAttributesCount = random.chance(20) ? 7 : 0
        }
        message.groups = (0..<random.below(4)).map { _ in scopeGroup() }
        if random.chance(30) { message.schemaURL = text() }
        return message
    }

    mutating func scopeGroup<Message: OracleScopeGroup>() -> Message {
        var message = Message()
        if random.chance(85) {
            message.scope.name = text()
            message.scope.version = text()
            message.scope.attributes = random.chance(30) ? attributes() : []
        }
        message.units = (0..<random.below(6)).map { _ in Message.Unit.random(&self) }
        if random.chance(30) { message.schemaURL = text() }
        return message
    }

    mutating func span() -> Span {
        var span = Span()
        span.traceID = random.bytes(16)
        span.spanID = random.bytes(8)
        if random.chance(60) { span.parentSpanID = random.bytes(8) }
        if random.chance(20) { span.traceState = text() }
        span.name = text()
        span.kind = Span.SpanKind(rawValue: random.below(7)) ?? .unspecified
        span.flags = random.chance(50) ? UInt32(truncatingIfNeeded: random.next()) : 0
        span.startTimeUnixNano = random.next()
        span.endTimeUnixNano = random.next()
        span.attributes = attributes()
        span.droppedAttributesCount = random.chance(10) ? UInt32(random.below(1000)) : 0
        span.events = (0..<random.below(3)).map { _ in event() }
        span.links = (0..<random.below(2)).map { _ in link() }
        if random.chance(40) {
            span.status.code = SpanStatus.StatusCode(rawValue: random.below(4)) ?? .unset
            span.status.message = text()
        }
        return span
    }

    mutating func event() -> Span.Event {
        var event = Span.Event()
        event.name = text()
        event.timeUnixNano = random.next()
        event.attributes = attributes()
        event.droppedAttributesCount = random.chance(10) ? 3 : 0
        return event
    }

    mutating func link() -> Span.Link {
        var link = Span.Link()
        link.traceID = random.bytes(16)
        link.spanID = random.bytes(8)
        link.traceState = text()
        link.attributes = attributes()
        link.flags = random.chance(50) ? 257 : 0
        return link
    }

    mutating func attributes() -> [KeyValue] {
        (0..<random.below(6)).map { _ in KeyValue(text(), value(depth: 0)) }
    }

    mutating func value(depth: Int) -> AnyValue.OneOf_Value? {
        switch random.below(depth < 4 ? 9 : 7) {
        case 0: return nil
        case 1: return .boolValue(random.chance(50))
        case 2: return .intValue(random.chance(50) ? Int64(bitPattern: random.next()) : Int64(random.below(300)))
        case 3: return .doubleValue(double())
        case 4: return .bytesValue(random.bytes(random.below(20)))
        case 5, 6: return .stringValue(text())
        case 7:
            var array = Opentelemetry_Proto_Common_V1_ArrayValue()
            array.values = (0..<random.below(4)).map { _ in
                var value = AnyValue()
                value.value = self.value(depth: depth + 1)
                return value
            }
            return .arrayValue(array)
        default:
            var list = Opentelemetry_Proto_Common_V1_KeyValueList()
            list.values = (0..<random.below(4)).map { _ in KeyValue(text(), value(depth: depth + 1)) }
            return .kvlistValue(list)
        }
    }

    mutating func double() -> Double {
        let special: [Double] = [0, -0.0, 1, .infinity, -.infinity, 0.1, 1e300, .leastNonzeroMagnitude]
        return random.chance(50) ? special[random.below(special.count)] : Double(random.below(1 << 30)) / 1024
    }
}
