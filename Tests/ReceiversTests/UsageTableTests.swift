import Basics
import Pipeline
import TestKit
import Testing

@testable import Receivers

@Suite struct `What one client may use` {
    private static let ann = Sender.identity("ann")
    private static let bob = Sender.identity("bob")

    private static func address(_ number: UInt64) -> Sender { .address(SourceAddress(bits: number)) }

    private static func table(
        connections: Int? = nil,
        bytes: Int? = nil,
        rate: Double? = nil,
        addressesMax: Int = UsageTable.addressesMax
    ) -> Usages {
        var settings = LimitSettings()
        settings.connections = connections
        settings.bytesInFlight = bytes.map { ByteCount(bytes: $0) }
        settings.requestsPerSecond = rate
        return Usages(UsageTable(settings, addressesMax: addressesMax))
    }

    private static func tooSoon(_ pause: Duration) -> UsageTable.Refusal {
        UsageTable.Refusal(excess: .requestsPerSecond, pause: pause)
    }

    private static let tooMuch = UsageTable.Refusal(excess: .bytesInFlight, pause: .seconds(1))

    @Test func `connections over the limit are told so, and more of them are closed without a word`() throws {
        let table = Self.table(connections: 2)
        let counted = try (0..<2).map { _ in try #require(table.open(from: Self.ann, at: .zero)) }
        #expect(counted.allSatisfy { !$0.isRefused })
        let refused = (0..<UsageTable.refusalsMax).compactMap { _ in table.open(from: Self.ann, at: .zero) }
        #expect(refused.count == UsageTable.refusalsMax && refused.allSatisfy(\.isRefused))
        #expect(table.open(from: Self.ann, at: .zero) == nil)
        #expect(table.open(from: Self.bob, at: .zero)?.isRefused == false)
        table.close(refused[0])
        #expect(table.open(from: Self.ann, at: .zero)?.isRefused == true)
        table.close(counted[0])
        #expect(table.open(from: Self.ann, at: .zero)?.isRefused == false)
    }

    @Test func `a connection counts for its address until it is known whose it is`() throws {
        let table = Self.table(connections: 1)
        let home = Self.address(1)
        let first = try #require(table.open(from: home, at: .zero))
        #expect(table.open(from: home, at: .zero)?.isRefused == true)
        let moved = try #require(table.move(first, to: Self.ann, at: .zero))
        #expect(table.move(moved, to: Self.ann, at: .zero) == moved)
        let second = try #require(table.open(from: home, at: .zero))
        #expect(!second.isRefused)
        #expect(table.move(second, to: Self.ann, at: .zero) == nil)
        table.close(moved)
        #expect(table.move(second, to: Self.ann, at: .zero) != nil)
    }

    @Test func `requests of five seconds may come at once, and then one after the other`() throws {
        let table = Self.table(rate: 2)
        for _ in 0..<10 { _ = try table.admit(0, from: Self.ann, at: .seconds(100)) }
        #expect(throws: Self.tooSoon(.milliseconds(500))) { try table.admit(0, from: Self.ann, at: .seconds(100)) }
        #expect(throws: Self.tooSoon(.milliseconds(100))) {
            try table.admit(0, from: Self.ann, at: .milliseconds(100_400))
        }
        _ = try table.admit(0, from: Self.ann, at: .milliseconds(100_500))
        #expect(throws: Self.tooSoon(.milliseconds(500))) {
            try table.admit(0, from: Self.ann, at: .milliseconds(100_500))
        }
        _ = try table.admit(0, from: Self.bob, at: .milliseconds(100_500))
        for _ in 0..<10 { _ = try table.admit(0, from: Self.ann, at: .seconds(200)) }
        #expect(throws: UsageTable.Refusal.self) { try table.admit(0, from: Self.ann, at: .seconds(200)) }
    }

    @Test func `one request is let in however slow the rate`() throws {
        let table = Self.table(rate: 0.1)
        _ = try table.admit(0, from: Self.ann, at: .zero)
        #expect(throws: Self.tooSoon(.seconds(10))) { try table.admit(0, from: Self.ann, at: .zero) }
        _ = try table.admit(0, from: Self.ann, at: .seconds(10))
    }

    @Test func `bytes count until they are released, and a body alone may have any number`() throws {
        let table = Self.table(bytes: 1000)
        let large = try table.admit(5000, from: Self.ann, at: .zero)
        #expect(throws: Self.tooMuch) { try table.admit(1, from: Self.ann, at: .zero) }
        _ = try table.admit(1000, from: Self.bob, at: .zero)
        #expect(table.grow(large, by: 5000, of: 5000))
        table.release(10_000, of: large)
        let half = try table.admit(500, from: Self.ann, at: .zero)
        let rest = try table.admit(400, from: Self.ann, at: .zero)
        #expect(throws: Self.tooMuch) { try table.admit(101, from: Self.ann, at: .zero) }
        #expect(table.grow(rest, by: 100, of: 400))
        #expect(!table.grow(half, by: 1, of: 500))
        table.release(500, of: rest)
        #expect(table.grow(half, by: 10_000, of: 500))
    }

    @Test func `a request that is refused for its bytes costs nothing of the rate`() throws {
        let table = Self.table(bytes: 1000, rate: 0.2)
        let body = try table.admit(1000, from: Self.ann, at: .zero)
        #expect(throws: Self.tooMuch) { try table.admit(1, from: Self.ann, at: .seconds(5)) }
        table.release(1000, of: body)
        _ = try table.admit(1, from: Self.ann, at: .seconds(5))
    }

    @Test func `forgetting gives nobody more than its limits`() throws {
        let table = Self.table(connections: 1, bytes: 1000, rate: 1)
        let open = try #require(table.open(from: Self.address(1), at: .zero))
        let body = try table.admit(1000, from: Self.address(2), at: .zero)
        for number in 10..<100_000 as Range<UInt64> {
            // 2,000 of them a second, each with one request.
            _ = try table.admit(0, from: Self.address(number << 32), at: .microseconds(500 * Int(number)))
        }
        #expect(table.count < 20_000)
        #expect(table.open(from: Self.address(1), at: .seconds(60))?.isRefused == true)
        #expect(throws: Self.tooMuch) { try table.admit(1, from: Self.address(2), at: .seconds(60)) }
        table.close(open)
        table.release(1000, of: body)
        #expect(table.open(from: Self.address(1), at: .seconds(60))?.isRefused == false)
    }

    @Test func `who comes with a network full of addresses takes from that network alone`() throws {
        let table = Self.table(rate: 1, addressesMax: 100)
        let greedy: UInt64 = 0x2001_0DB8_0000_0000
        var taken = 0
        for number in 0..<10_000 as Range<UInt64> {
            taken += (try? table.admit(0, from: Self.address(greedy | number), at: .seconds(1))) == nil ? 0 : 1
        }
        // A hundred accounts with one request each, and one that the rest shares.
        #expect(taken == 100 + 5)
        #expect(table.count == 100)
        let others = (0..<200 as Range<UInt64>).map { Self.address(0x2002_0000_0000_0000 | $0 << 32) }
        let served = others.count { (try? table.admit(0, from: $0, at: .seconds(1))) != nil }
        #expect(served > 150)
        // Whoever shows who it is has an account in any case.
        for _ in 0..<5 { _ = try table.admit(0, from: Self.ann, at: .seconds(1)) }
    }
}

/// A table that expectations may change.
private final class Usages {
    private var table: UsageTable

    init(_ table: UsageTable) {
        self.table = table
    }

    var count: Int { table.count }

    func open(from sender: Sender, at now: Duration) -> UsageTable.Connection? { table.open(from: sender, at: now) }

    func move(_ connection: UsageTable.Connection, to sender: Sender, at now: Duration) -> UsageTable.Connection? {
        table.move(connection, to: sender, at: now)
    }

    func close(_ connection: UsageTable.Connection) { table.close(connection) }

    func admit(_ bytes: Int, from sender: Sender, at now: Duration) throws -> UsageTable.Account {
        try table.admit(bytes, from: sender, at: now)
    }

    func grow(_ account: UsageTable.Account, by bytes: Int, of held: Int) -> Bool {
        table.grow(account, by: bytes, of: held)
    }

    func release(_ bytes: Int, of account: UsageTable.Account) { table.release(bytes, of: account) }
}
