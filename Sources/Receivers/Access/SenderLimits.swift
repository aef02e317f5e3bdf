import Basics
import Logging
import Pipeline
import Settings
import Synchronization

/// Bounds what each client uses of one receiver (the rule: UsageTable.swift), counts and logs who is over.
///
/// Any thread, without waiting for anything.
final class SenderLimits: Sendable {
    private struct CounterKey: Hashable {
        let excess: UsageTable.Excess
        /// The label of who is over, and its value; nil for addresses.
        let label: IdentityLabels.Label?
    }

    private struct State {
        var labels = IdentityLabels()
        var counters: [CounterKey: Counter] = [:]
        var throttle = SenderThrottle()
    }

    private let settings: LimitSettings
    private let receiver: String
    private let table: Mutex<UsageTable>
    private let state = Mutex(State())
    private let meters: Meters
    private let clock: MonotonicClock
    private let logger: Logger

    /// Nil where there are no limits.
    init?(_ settings: LimitSettings?, receiver: String, meters: Meters, clock: MonotonicClock, logger: Logger) {
        guard let settings, settings != LimitSettings() else { return nil }
        self.settings = settings
        self.receiver = receiver
        self.meters = meters
        self.clock = clock
        self.logger = logger
        table = Mutex(UsageTable(settings))
        for excess in UsageTable.Excess.allCases { _ = counter(of: excess, nil) }
    }

    /// Counts a connection until `close`; nil for one that is to be closed without a word.
    func open(from address: SourceAddress) -> UsageTable.Connection? {
        let sender = Sender.address(address)
        let connection = table.withLock { $0.open(from: sender, at: clock.now()) }
        if connection?.isRefused ?? true { note(.connections, of: sender) }
        return connection
    }

    /// Counts the connection by who uses it from now on.
    func move(_ connection: UsageTable.Connection, to sender: Sender) throws(HTTPError) -> UsageTable.Connection {
        guard connection.account != .sender(sender) else { return connection }
        if let moved = table.withLock({ $0.move(connection, to: sender, at: clock.now()) }) { return moved }
        note(.connections, of: sender)
        throw tooManyConnections
    }

    /// The connection is gone.
    func close(_ connection: UsageTable.Connection) {
        table.withLock { $0.close(connection) }
    }

    /// Counts a request whose body is said to have so many bytes.
    ///
    /// - Returns: What is counted of its body, for as long as the object is there.
    func admit(_ bytes: Int, from sender: Sender) throws(HTTPError) -> BodyInFlight? {
        let bytes = settings.bytesInFlight == nil ? 0 : bytes
        let admitted = table.withLock { table -> Result<UsageTable.Account, UsageTable.Refusal> in
            Result { () throws(UsageTable.Refusal) in try table.admit(bytes, from: sender, at: clock.now()) }
        }
        switch admitted {
        case .success(let account):
            return settings.bytesInFlight.map { _ in BodyInFlight(self, sender, account, bytes) }
        case .failure(let refusal):
            note(refusal.excess, of: sender)
            throw error(refusal)
        }
    }

    /// What a connection over the limit is told.
    var tooManyConnections: HTTPError {
        error(UsageTable.Refusal(excess: .connections, pause: .seconds(1)))
    }

    fileprivate func grow(_ body: BodyInFlight, by bytes: Int, of held: Int) throws(HTTPError) {
        guard !table.withLock({ $0.grow(body.account, by: bytes, of: held) }) else { return }
        note(.bytesInFlight, of: body.sender)
        throw error(UsageTable.Refusal(excess: .bytesInFlight, pause: .seconds(1)))
    }

    fileprivate func release(_ bytes: Int, of account: UsageTable.Account) {
        table.withLock { $0.release(bytes, of: account) }
    }

    private func error(_ refusal: UsageTable.Refusal) -> HTTPError {
        let message =
            switch refusal.excess {
            case .connections: "too many connections of this client; at most \(settings.connections ?? 0) are allowed"
            case .bytesInFlight:
                "too many bytes of this client are in flight; at most \(settings.bytesInFlight ?? ByteCount(bytes: 0)) are allowed"
            case .requestsPerSecond:
                "too many requests of this client; at most \(JSON.number(settings.requestsPerSecond ?? 0).lineText) a second are allowed"
            }
        return HTTPError(.tooManyRequests, message, retryAfter: refusal.pause)
    }

    private func note(_ excess: UsageTable.Excess, of sender: Sender) {
        counter(of: excess, sender).add()
        let now = clock.now()
        guard let heldBack = state.withLock({ $0.throttle.admit(sender, now: now) }) else { return }
        var metadata: Logger.Metadata = ["receiver": "\(receiver)", "limit": "\(excess.rawValue)"]
        switch sender {
        case .identity(let name): metadata["identity"] = "\(name)"
        case .address(let address): metadata["source"] = "\(address)"
        }
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        logger.warning("a client is over its limit and answered 429", metadata: metadata)
    }

    private func counter(of excess: UsageTable.Excess, _ sender: Sender?) -> Counter {
        state.withLock { state in
            let label: IdentityLabels.Label? =
                if case .identity(let name) = sender { state.labels.label(of: name) } else { nil }
            let key = CounterKey(excess: excess, label: label)
            if let known = state.counters[key] { return known }
            var labels = ["receiver": receiver, "limit": excess.rawValue]
            if let label { labels[label.name] = label.value }
            let counter = meters.counter("millrace_receiver_over_limit_total", labels)
            state.counters[key] = counter
            return counter
        }
    }
}

/// What is counted of one body in its client's `bytes_in_flight`, given back when the last reference goes.
///
/// One thread at a time.
final class BodyInFlight: Sendable {
    fileprivate let sender: Sender
    fileprivate let account: UsageTable.Account
    private let limits: SenderLimits
    private let counted: Atomic<Int>

    fileprivate init(_ limits: SenderLimits, _ sender: Sender, _ account: UsageTable.Account, _ bytes: Int) {
        self.limits = limits
        self.sender = sender
        self.account = account
        counted = Atomic(bytes)
    }

    deinit {
        limits.release(counted.load(ordering: .relaxed), of: account)
    }

    /// Counts a body of which `total` bytes have come; throws where its client may not hold so many.
    func grow(to total: Int) throws(HTTPError) {
        let held = counted.load(ordering: .relaxed)
        guard total > held else { return }
        try limits.grow(self, by: total - held, of: held)
        counted.store(total, ordering: .relaxed)
    }
}
