package import Basics
package import Journal
package import OTLP

/// What the pipelines keep beside a record's payload in the journal.
///
/// The form, pinned by a test: one byte each for signal and route kind, then the route, the identity (each a length and
/// UTF-8), the counts of filtered and of sampled-out items, the number of headers, and each header's name and value.
/// Lengths and counts are LEB128. For spans that were replayed 1 and the id of their dead letter follow; 0 stands for
/// none. Then follows the address that they came from, in LEB128; nothing stands for an unknown one, or 0 where more
/// follows: of spans in a parked log where they came from (`ParkedOrigin`). Then come fields of a tag, a length and bytes, of which
/// those with an unknown tag are ignored, so that later versions may append: 16 the trace of a record before a window
/// (`TraceMark`), 17 what a record behind it was made of (`TraceOrigin`), 18 how many of its items nobody sent,
/// 19 the trace and the span of the request, where that is recorded, in 24 bytes; 20 what a record behind a window is to a trace of
/// which spans went ahead (`TraceShowing`); of a record before a window 21 the experiments that its client may write to, each a
/// length and UTF-8; of one behind it 22 why its spans may not go where they would, 23 what a sampler decided (`TraceVerdict`),
/// 24 how many of its items that are sampled out which policy dropped, each a count and a name, 26, empty, that its spans are of
/// several whole traces, and 27, empty, that nobody sent any of its items. Of a replay 25 the dead letter that it was in the
/// exporter's box of the other log (`LogID.counterpart`). Of a record before a window
/// 28 the spans that a filter dropped (`Tombstone`).
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
    /// Of a record before a window: the trace that all of it is of.
    package var trace: TraceMark?
    /// Of a record behind a window: what it was made of.
    package var origin: TraceOrigin?
    /// Items in the payload that nobody sent: they take no id in the log.
    package var created: UInt32 = 0
    /// The span of the request, where it is recorded (`telemetry`).
    package var request: TraceContext?
    /// Of a record behind a window: set where spans of its trace went ahead while it was open.
    package var showing: TraceShowing?
    /// Of a record before a window: the experiments that its client may write to, as they are listed; empty for all.
    package var experiments: [String] = []
    /// Of a record behind a window: why its client may not write where it would go; nil where it may.
    package var refusal: String?
    /// Of a record behind a window: whether its spans are of several traces, each of them whole; its mark names none then.
    package var areWholeTraces = false
    /// Of a replay: the id of the letter, where that lay among those from before a window came or went.
    package var counterpartLetter: UInt64?
    /// Of a record behind a window: what a sampler decided about its trace.
    package var verdict: TraceVerdict?
    /// Of a record behind a window: whether nobody sent any of its items, so that its id counts for none that was accepted.
    package var isUnsent = false
    /// Of a record before a window: spans of its trace that a filter dropped.
    package var tombstones: [Tombstone] = []

    package init(
        signal: Signal,
        route: Route = .none,
        identity: String? = nil,
        headers: [HTTPHeader] = [],
        removed: OutcomeCounts = [:],
        replays: UInt64? = nil,
        address: SourceAddress = .unknown,
        parked: ParkedOrigin? = nil,
        request: TraceContext? = nil
    ) {
        self.signal = signal
        self.route = route
        self.identity = identity
        self.headers = headers
        self.removed = removed
        self.replays = replays
        self.address = address
        self.parked = parked
        self.request = request
    }

    /// Who sent them.
    package var sender: Sender { identity.map(Sender.identity) ?? .address(address) }

    /// The same for what of a record goes to another log of its exporter: what was removed, created or moved stays in the account
    /// of the record.
    package var withoutAccount: RecordMetadata {
        var metadata = self
        (metadata.removed, metadata.created, metadata.replays, metadata.parked) = ([:], 0, nil, nil)
        (metadata.showing, metadata.counterpartLetter, metadata.isUnsent) = (nil, nil, false)
        metadata.tombstones = []
        metadata.origin?.spans = []
        metadata.origin?.logs = []
        return metadata
    }
}

/// Fields behind the ordered ones.
private enum FieldTag {
    static let trace: UInt8 = 16
    static let origin: UInt8 = 17
    static let created: UInt8 = 18
    static let request: UInt8 = 19
    static let showing: UInt8 = 20
    static let experiments: UInt8 = 21
    static let refusal: UInt8 = 22
    static let verdict: UInt8 = 23
    static let policies: UInt8 = 24
    static let counterpartLetter: UInt8 = 25
    static let wholeTraces: UInt8 = 26
    static let unsent: UInt8 = 27
    static let tombstones: UInt8 = 28
    static let known = trace...tombstones
}

extension RecordMetadata {
    /// The bytes for the journal.
    package func encoded() -> [UInt8] {
        var trace: Int?
        return encoded(traceAt: &trace)
    }

    /// The bytes for the journal, and where in them the id of the trace stands.
    func encoded(traceAt trace: inout Int?) -> [UInt8] {
        var bytes: [UInt8] = [signal.rawValue]
        route.append(to: &bytes)
        bytes.append(text: identity ?? "")
        bytes.append(leb128: removed[.filtered])
        bytes.append(leb128: removed[.sampledOut])
        bytes.append(leb128: UInt64(headers.count))
        for header in headers {
            bytes.append(text: header.name)
            bytes.append(text: header.value)
        }
        let hasMore = address != .unknown || parked != nil || hasFields
        if let replays {
            bytes.append(1)
            bytes.append(leb128: replays)
        } else if hasMore {
            bytes.append(0)
        }
        if hasMore { bytes.append(leb128: address.bits) }
        parked?.append(to: &bytes)
        if hasFields { trace = appendFields(to: &bytes) }
        return bytes
    }

    private var hasFields: Bool {
        trace != nil || origin != nil || created > 0 || request != nil || showing != nil || !experiments.isEmpty
            || refusal != nil || verdict != nil || !removed.sampledOutBy.isEmpty || areWholeTraces
            || counterpartLetter != nil || isUnsent || !tombstones.isEmpty
    }

    /// Says where the id of the trace stands.
    private func appendFields(to bytes: inout [UInt8]) -> Int? {
        func append(_ tag: UInt8, _ write: (inout [UInt8]) -> Void) {
            var field: [UInt8] = []
            write(&field)
            bytes.append(tag)
            bytes.append(counted: field)
        }
        var idStart: Int?
        if let trace {
            append(FieldTag.trace) { trace.append(to: &$0) }
            idStart = bytes.count - trace.byteCount
        }
        if let origin { append(FieldTag.origin) { origin.append(to: &$0) } }
        if created > 0 { append(FieldTag.created) { $0.append(leb128: UInt64(created)) } }
        if let request { append(FieldTag.request) { $0.append(request) } }
        if let showing { append(FieldTag.showing) { showing.append(to: &$0) } }
        if !experiments.isEmpty {
            append(FieldTag.experiments) { bytes in for entry in experiments { bytes.append(text: entry) } }
        }
        if let refusal { append(FieldTag.refusal) { $0.append(text: refusal) } }
        if areWholeTraces { append(FieldTag.wholeTraces) { _ in } }
        if let counterpartLetter { append(FieldTag.counterpartLetter) { $0.append(leb128: counterpartLetter) } }
        if let verdict { append(FieldTag.verdict) { verdict.append(to: &$0) } }
        if isUnsent { append(FieldTag.unsent) { _ in } }
        if !removed.sampledOutBy.isEmpty {
            append(FieldTag.policies) { bytes in
                for (policy, count) in removed.sampledOutBy.sorted(by: { $0.key < $1.key }) {
                    bytes.append(leb128: count)
                    bytes.append(text: policy)
                }
            }
        }
        if !tombstones.isEmpty { append(FieldTag.tombstones) { tombstones.append(to: &$0) } }
        return idStart
    }

    /// Nil where a field is cut short or is not what its tag says.
    private mutating func read(fields bytes: ArraySlice<UInt8>, traceAt idStart: inout Int?) -> Void? {
        var rest = bytes
        while let tag = rest.popFirst() {
            guard var field = rest.popCounted() else { return FieldTag.known.contains(tag) ? nil : () }
            switch tag {
            case FieldTag.trace:
                idStart = field.startIndex
                guard let mark = TraceMark(popping: &field) else { return nil }
                trace = mark
            case FieldTag.origin:
                guard let made = TraceOrigin(popping: &field) else { return nil }
                origin = made
            case FieldTag.created:
                guard let count = field.popLEB128().flatMap(UInt32.init(exactly:)) else { return nil }
                created = count
            case FieldTag.request: request = field.popTrace()
            case FieldTag.showing:
                guard let shown = TraceShowing(popping: &field) else { return nil }
                showing = shown
            case FieldTag.experiments:
                while !field.isEmpty {
                    guard let entry = field.popText() else { return nil }
                    experiments.append(entry)
                }
            case FieldTag.refusal:
                guard let reason = field.popText() else { return nil }
                refusal = reason
            case FieldTag.wholeTraces: areWholeTraces = true
            case FieldTag.counterpartLetter:
                guard let id = field.popLEB128() else { return nil }
                counterpartLetter = id
            case FieldTag.verdict:
                guard let decided = TraceVerdict(popping: &field) else { return nil }
                verdict = decided
            case FieldTag.unsent: isUnsent = true
            case FieldTag.policies:
                while !field.isEmpty {
                    guard let count = field.popLEB128(), let policy = field.popText() else { return nil }
                    let named = min(count, removed[.sampledOut])
                    removed[.sampledOut] -= named
                    removed.addSampledOut(named, by: policy)
                }
            case FieldTag.tombstones:
                guard let dropped = [Tombstone](popping: &field) else { return nil }
                tombstones = dropped
            default: continue
            }
        }
        return ()
    }

    /// Reads what `encoded()` wrote; nil where the bytes are something else.
    package init?(decoding bytes: [UInt8]) {
        var trace: Int?
        self.init(decoding: bytes, traceAt: &trace)
    }

    /// Reads what `encoded()` wrote, and says where the id of the trace stands; nil where the bytes are something else.
    init?(decoding bytes: [UInt8], traceAt trace: inout Int?) {
        var rest = bytes[...]
        guard let signal = rest.popFirst().flatMap(Signal.init(rawValue:)), let route = Route(popping: &rest),
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
            address: address
        )
        // Tags are no source of a parked record.
        if rest.first.map({ RecordSource(rawValue: $0) != nil }) == true {
            parked = ParkedOrigin(popping: &rest)
            guard parked != nil else { return }
        }
        if read(fields: rest, traceAt: &trace) == nil { return nil }
    }
}

extension Route {
    /// Its kind in one byte, then its text.
    func append(to bytes: inout [UInt8]) {
        bytes.append(kind)
        bytes.append(text: text)
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        guard let kind = bytes.popFirst(), let text = bytes.popText() else { return nil }
        self.init(kind: kind, text: text)
    }

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
