package import Basics
package import OTLP
import Synchronization

/// Who was refused what for what they wrote, since the process started, for people who look.
///
/// Any thread; one short lock a request that is refused for good. Of 200 clients and reasons each has a row; where there are more, the one
/// that was refused longest ago is counted with all others.
package final class ClientRefusals: Sendable {
    /// Rows, at most, the one of all others aside.
    package static let rowsMax = 200
    /// Characters of a client's name, and of a reason.
    private static let nameCharactersMax = 120
    private static let messageCharactersMax = 300

    /// Whose requests a row counts.
    package struct Key: Hashable, Sendable {
        package let client: String
        package let receiver: String
        package let signal: Signal
        /// The `reason` label of refused items.
        package let reason: String
    }

    /// One client and reason.
    package struct Row: Sendable {
        /// Nil for the row of all others.
        package fileprivate(set) var key: Key?
        package fileprivate(set) var requests = 0
        /// Items of them that were refused; those of a body that cannot be read are not known.
        package fileprivate(set) var items = 0
        /// What the client was told last.
        package fileprivate(set) var message = ""
        package fileprivate(set) var lastSeen = UnixTime(nanoseconds: 0)
    }

    fileprivate struct State {
        var rows: [Key: Row] = [:]
        var others = Row()
    }

    private let state = Mutex(State())

    package init() {}

    /// Counts one request; nothing where it may come again, or was taken whole.
    func add(
        _ answer: IntakeAnswer,
        items: Int,
        _ reason: IntakeTally.RefusalReason,
        of signal: Signal,
        from source: RequestSource,
        at now: UnixTime
    ) {
        guard let message = answer.complaint else { return }
        let client = (source.client ?? "unknown").excerpt(max: Self.nameCharactersMax)
        let key = Key(client: client, receiver: source.receiver, signal: signal, reason: reason.rawValue)
        state.withLock { state in
            if state.rows[key] == nil, state.rows.count >= Self.rowsMax { state.giveWay() }
            var row = state.rows[key] ?? Row(key: key)
            row.add(requests: 1, items: items, at: now)
            row.message = message.excerpt(max: Self.messageCharactersMax)
            state.rows[key] = row
        }
    }

    /// All rows, the one refused last first; that of all others at the end.
    package var rows: [Row] {
        let (rows, others) = state.withLock { (Array($0.rows.values), $0.others) }
        return rows.sorted { $0.lastSeen > $1.lastSeen } + (others.requests > 0 ? [others] : [])
    }
}

extension ClientRefusals.Row {
    fileprivate mutating func add(requests more: Int, items moreItems: Int, at time: UnixTime) {
        requests += more
        items += moreItems
        lastSeen = max(lastSeen, time)
    }
}

extension ClientRefusals.State {
    /// The row that was refused longest ago is counted with all others.
    fileprivate mutating func giveWay() {
        guard let oldest = rows.min(by: { $0.value.lastSeen < $1.value.lastSeen }) else { return }
        rows[oldest.key] = nil
        others.add(requests: oldest.value.requests, items: oldest.value.items, at: oldest.value.lastSeen)
    }
}

extension IntakeAnswer {
    /// What the client did wrong; nil where it did nothing wrong.
    fileprivate var complaint: String? {
        switch self {
        case .partial(_, let message), .invalid(let message), .tooLarge(let message), .forbidden(let message): message
        case .accepted, .throttled, .unavailable: nil
        }
    }
}
