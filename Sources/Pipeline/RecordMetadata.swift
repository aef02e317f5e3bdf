package import Basics
package import Journal
package import OTLP

/// What the pipelines keep beside a record's payload in the journal.
///
/// The form, pinned by a test: one byte each for signal and route kind, then the route, the identity (each a length and
/// UTF-8), the counts of filtered and of sampled-out items, the number of headers, and each header's name and value.
/// Lengths and counts are LEB128. For spans that were replayed 1 and the id of their dead letter follow; 0 stands for
/// none. Then follows the address that they came from, in LEB128; nothing stands for an unknown one, or 0 where more
/// follows: of spans in a parked log where they came from (`ParkedOrigin`), or 255 where more follows: the trace and the span
/// of the request, where that is recorded, in 24 bytes. What stands after that is ignored, so that later versions may append.
package struct RecordMetadata: Hashable, Sendable {
    package var signal: Signal
    package var route: Route
    /// The name that authentication gave; nil without.
    package var identity: String?
    /// Headers to send along (`forward_headers`).
    package var headers: [HTTPHeader]
    /// Items that were accepted and are not in the payload: what processors removed before the journal.
    package var removed: OutcomeCounts
    /// The dead letter, by its id in the same log, that these spans were; nil for spans that nobody replayed.
    package var replays: UInt64?
    /// Where they came from: whose share of the journal they take is told by it also after a restart.
    package var address: SourceAddress
    /// Of spans in an exporter's parked log: where they lay before.
    package var parked: ParkedOrigin?
    /// The span of the request, where it is recorded (`telemetry`).
    package var trace: TraceContext?

    package init(
        signal: Signal,
        route: Route = .none,
        identity: String? = nil,
        headers: [HTTPHeader] = [],
        removed: OutcomeCounts = [:],
        replays: UInt64? = nil,
        address: SourceAddress = .unknown,
        parked: ParkedOrigin? = nil,
        trace: TraceContext? = nil
    ) {
        self.signal = signal
        self.route = route
        self.identity = identity
        self.headers = headers
        self.removed = removed
        self.replays = replays
        self.address = address
        self.parked = parked
        self.trace = trace
    }

    /// Who sent them.
    package var sender: Sender { identity.map(Sender.identity) ?? .address(address) }
}

extension RecordMetadata {
    /// The bytes for the journal.
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = [signal.rawValue, route.kind]
        bytes.append(text: route.text)
        bytes.append(text: identity ?? "")
        bytes.append(leb128: removed[.filtered])
        bytes.append(leb128: removed[.sampledOut])
        bytes.append(leb128: UInt64(headers.count))
        for header in headers {
            bytes.append(text: header.name)
            bytes.append(text: header.value)
        }
        if let replays {
            bytes.append(1)
            bytes.append(leb128: replays)
        } else if address != .unknown || parked != nil || trace != nil {
            bytes.append(0)
        }
        if address != .unknown || parked != nil || trace != nil { bytes.append(leb128: address.bits) }
        parked?.append(to: &bytes)
        if let trace {
            if parked == nil { bytes.append(Self.notParked) }
            bytes.append(trace)
        }
        return bytes
    }

    /// Stands for no `ParkedOrigin`: no source of records has that number.
    private static let notParked: UInt8 = 255

    /// Reads what `encoded()` wrote; nil where the bytes are something else.
    package init?(decoding bytes: [UInt8]) {
        var rest = bytes[...]
        guard let signal = rest.popFirst().flatMap(Signal.init(rawValue:)), let kind = rest.popFirst(),
            let routeText = rest.popText(), let route = Route(kind: kind, text: routeText),
            let identity = rest.popText(), let filtered = rest.popLEB128(), let sampledOut = rest.popLEB128(),
            let headerCount = rest.popCount()
        else { return nil }
        var headers: [HTTPHeader] = []
        for _ in 0..<headerCount {
            guard let name = rest.popText(), let value = rest.popText() else { return nil }
            headers.append(HTTPHeader(name, value))
        }
        var replays: UInt64?
        if rest.popFirst() == 1 {
            guard let id = rest.popLEB128() else { return nil }
            replays = id
        }
        var address = SourceAddress.unknown
        if !rest.isEmpty {
            guard let bits = rest.popLEB128() else { return nil }
            address = SourceAddress(bits: bits)
        }
        self.init(
            signal: signal,
            route: route,
            identity: identity.isEmpty ? nil : identity,
            headers: headers,
            removed: [.filtered: filtered, .sampledOut: sampledOut],
            replays: replays,
            address: address,
            parked: ParkedOrigin(popping: &rest),
            trace: rest.popTrace()
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
