import Basics
import Pipeline

/// What each client uses of a receiver, and whether it may use more: the rule, without threads and clocks.
///
/// A client is forgotten only where nothing of it is left: no connection, no body, and no request within the last five seconds
/// or so. Forgetting thus gives nobody more than its limits. Of addresses 65,536 are told apart; while that many are
/// remembered, further ones share accounts with their neighbours, of IPv4 by the first 16 bits and of IPv6 by the first 32,
/// so that whoever has a network full of addresses takes from that network. Identities always have accounts of their own.
struct UsageTable: Sendable {
    /// A limit that a client has reached.
    enum Excess: String, CaseIterable, Sendable {
        case connections
        case bytesInFlight = "bytes_in_flight"
        case requestsPerSecond = "requests_per_second"
    }

    /// Where something is counted.
    enum Account: Hashable, Sendable {
        case sender(Sender)
        /// Shared by addresses that find no room.
        case shared(Int)
    }

    /// A connection that is counted.
    struct Connection: Equatable, Sendable {
        let account: Account
        /// Whether it is one too many, which is told so and closed.
        let isRefused: Bool
    }

    /// Why a request is not taken, and after what time it may be.
    struct Refusal: Error, Equatable {
        let excess: Excess
        let pause: Duration
    }

    private struct Usage: Sendable {
        var connections = 0
        var refused = 0
        var bytes = 0
        /// Until when the requests that came have used up the rate.
        var spentUntil = Duration.zero

        func isIdle(at now: Duration) -> Bool {
            connections == 0 && refused == 0 && bytes == 0 && spentUntil <= now
        }
    }

    /// Addresses with accounts of their own, at most.
    static let addressesMax = 65_536
    /// Connections of one client over its limit that are told so at once; more are closed without a word.
    static let refusalsMax = 16
    /// How long a client may save up what it does not send: SDKs send every five seconds what there is, in several requests.
    private static let burst = Duration.seconds(5)
    private static let sharedCount = 256
    private static let sweepMin = 1024
    private static let sweepInterval = Duration.seconds(1)

    private let settings: LimitSettings
    /// Between two requests at the limit's rate.
    private let interval: Duration
    private let addressesMax: Int
    private var usages: [Sender: Usage] = [:]
    private var shared = [Usage](repeating: Usage(), count: sharedCount)
    /// How many there may be before those are looked for that can be forgotten.
    private var sweepCount = sweepMin
    private var nextSweep = Duration.zero

    /// - Parameters:
    ///   - settings: The limits.
    ///   - addressesMax: Addresses with accounts of their own, at most.
    init(_ settings: LimitSettings, addressesMax: Int = UsageTable.addressesMax) {
        self.settings = settings
        self.addressesMax = addressesMax
        interval = settings.requestsPerSecond.map { .seconds(1) / $0 } ?? .zero
    }

    /// Clients remembered now.
    var count: Int { usages.count }

    /// Counts a connection; nil for one that is to be closed without a word.
    mutating func open(from sender: Sender, at now: Duration) -> Connection? {
        let account = account(of: sender, at: now)
        if hasRoomForConnection(account) {
            update(account) { $0.connections += 1 }
            return Connection(account: account, isRefused: false)
        }
        guard usage(account).refused < Self.refusalsMax else { return nil }
        update(account) { $0.refused += 1 }
        return Connection(account: account, isRefused: true)
    }

    /// Counts a connection for another client, who has shown who it is; nil, and nothing changed, where that one has no room.
    mutating func move(_ connection: Connection, to sender: Sender, at now: Duration) -> Connection? {
        let account = account(of: sender, at: now)
        guard account != connection.account else { return connection }
        guard hasRoomForConnection(account) else { return nil }
        update(account) { $0.connections += 1 }
        close(connection)
        return Connection(account: account, isRefused: false)
    }

    /// The connection is gone.
    mutating func close(_ connection: Connection) {
        update(connection.account) { usage in
            if connection.isRefused { usage.refused -= 1 } else { usage.connections -= 1 }
        }
    }

    /// Counts a request and the bytes that its body is said to have.
    ///
    /// - Returns: Where the bytes are counted until `release`.
    mutating func admit(_ bytes: Int, from sender: Sender, at now: Duration) throws(Refusal) -> Account {
        let account = account(of: sender, at: now)
        let usage = usage(account)
        if let most = settings.bytesInFlight?.bytes, usage.bytes > 0, bytes > most - usage.bytes {
            throw Refusal(excess: .bytesInFlight, pause: .seconds(1))
        }
        let spentUntil = interval > .zero ? max(usage.spentUntil, now) + interval : now
        let early = spentUntil - now - max(Self.burst, interval)
        guard early <= .zero else { throw Refusal(excess: .requestsPerSecond, pause: early) }
        update(account) { usage in
            usage.bytes += bytes
            usage.spentUntil = spentUntil
        }
        return account
    }

    /// Counts more bytes of a body of which `held` are counted; false, and nothing changed, where its client has no room.
    mutating func grow(_ account: Account, by bytes: Int, of held: Int) -> Bool {
        let usage = usage(account)
        if let most = settings.bytesInFlight?.bytes, usage.bytes > held, bytes > most - usage.bytes { return false }
        update(account) { $0.bytes += bytes }
        return true
    }

    /// A body's bytes are not held any more.
    mutating func release(_ bytes: Int, of account: Account) {
        update(account) { $0.bytes -= bytes }
    }

    private func hasRoomForConnection(_ account: Account) -> Bool {
        settings.connections.map { usage(account).connections < $0 } ?? true
    }

    private func usage(_ account: Account) -> Usage {
        switch account {
        case .sender(let sender): usages[sender] ?? Usage()
        case .shared(let index): shared[index]
        }
    }

    private mutating func update(_ account: Account, _ change: (inout Usage) -> Void) {
        switch account {
        case .sender(let sender): change(&usages[sender, default: Usage()])
        case .shared(let index): change(&shared[index])
        }
    }

    private mutating func account(of sender: Sender, at now: Duration) -> Account {
        guard usages[sender] == nil else { return .sender(sender) }
        if usages.count >= min(sweepCount, addressesMax) { sweep(at: now) }
        guard usages.count >= addressesMax, case .address(let address) = sender else { return .sender(sender) }
        var hasher = Hasher()
        hasher.combine(address.network)
        return .shared(Int(hasher.finalize().magnitude % UInt(Self.sharedCount)))
    }

    /// Forgets those of whom nothing is left; where there are none it is not looked again for a while.
    private mutating func sweep(at now: Duration) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        usages = usages.filter { !$0.value.isIdle(at: now) }
        sweepCount = max(Self.sweepMin, 2 * usages.count)
    }
}

extension SourceAddress {
    /// The wider network that it belongs to.
    fileprivate var network: UInt64 { bits >> 32 == 0 ? bits >> 16 : (bits >> 32) << 32 }
}
