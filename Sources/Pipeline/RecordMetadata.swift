package import Basics
package import OTLP

/// What the pipelines keep beside a record's payload in the journal.
///
/// The form, pinned by a test: one byte each for signal and route kind, then the route, the identity (each a length and
/// UTF-8), the counts of filtered and of sampled-out items, the number of headers, and each header's name and value.
/// Lengths and counts are LEB128. What stands after that is ignored, so that later versions may append.
package struct RecordMetadata: Hashable, Sendable {
    package var signal: Signal
    package var route: Route
    /// The name that authentication gave; nil without.
    package var identity: String?
    /// Headers to send along (`forward_headers`).
    package var headers: [HTTPHeader]
    /// Items that a filter removed before the journal.
    package var filtered: Int
    /// Items that sampling removed before the journal.
    package var sampledOut: Int

    package init(
        signal: Signal,
        route: Route = .none,
        identity: String? = nil,
        headers: [HTTPHeader] = [],
        filtered: Int = 0,
        sampledOut: Int = 0
    ) {
        self.signal = signal
        self.route = route
        self.identity = identity
        self.headers = headers
        self.filtered = filtered
        self.sampledOut = sampledOut
    }

    /// Items that were accepted and are not in the payload.
    package var removed: Int { filtered + sampledOut }
}

extension RecordMetadata {
    /// The bytes for the journal.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = [signal.rawValue, route.kind]
        bytes.append(text: route.text)
        bytes.append(text: identity ?? "")
        bytes.append(leb128: filtered)
        bytes.append(leb128: sampledOut)
        bytes.append(leb128: headers.count)
        for header in headers {
            bytes.append(text: header.name)
            bytes.append(text: header.value)
        }
        return bytes
    }

    /// Reads what `encoded()` wrote; nil where the bytes are something else.
    package init?(decoding bytes: [UInt8]) {
        var rest = bytes[...]
        guard let signal = rest.popFirst().flatMap(Signal.init(rawValue:)), let kind = rest.popFirst(),
            let routeText = rest.popText(), let route = Route(kind: kind, text: routeText),
            let identity = rest.popText(), let filtered = rest.popLEB128(), let sampledOut = rest.popLEB128(),
            let headerCount = rest.popLEB128()
        else { return nil }
        var headers: [HTTPHeader] = []
        for _ in 0..<headerCount {
            guard let name = rest.popText(), let value = rest.popText() else { return nil }
            headers.append(HTTPHeader(name, value))
        }
        self.init(
            signal: signal,
            route: route,
            identity: identity.isEmpty ? nil : identity,
            headers: headers,
            filtered: filtered,
            sampledOut: sampledOut
        )
    }
}

extension Route {
    fileprivate var kind: UInt8 {
        switch self {
        case .none: 0
        case .experimentName: 1
        case .experimentID: 2
        }
    }

    fileprivate var text: String {
        switch self {
        case .none: ""
        case .experimentName(let text), .experimentID(let text): text
        }
    }

    fileprivate init?(kind: UInt8, text: String) {
        switch kind {
        case 0: self = .none
        case 1: self = .experimentName(text)
        case 2: self = .experimentID(text)
        default: return nil
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(leb128 value: Int) {
        var rest = UInt64(value)
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    fileprivate mutating func append(text: String) {
        append(leb128: text.utf8.count)
        append(contentsOf: text.utf8)
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func popLEB128() -> Int? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 63, by: 7) {
            guard let byte = popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int(exactly: value) }
        }
        return nil
    }

    fileprivate mutating func popText() -> String? {
        guard let length = popLEB128(), length <= count else { return nil }
        defer { removeFirst(length) }
        return String(validating: prefix(length), as: UTF8.self)
    }
}
