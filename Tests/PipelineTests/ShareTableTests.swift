import Basics
import Journal
import TestKit
import Testing

@testable import Pipeline

@Suite struct ShareTableTests {
    private static let first = LogID("first")
    private static let second = LogID("second")
    private var table = ShareTable(
        budget: 1000,
        destinations: [ShareTableTests.first: 2, ShareTableTests.second: 1],
        routesMax: 100,
        sendersMax: 10
    )

    private func part(
        _ name: String,
        _ bytes: Int,
        log: LogID = ShareTableTests.first,
        from sender: Sender = .address(.unknown)
    ) -> ShareTable.Part {
        ShareTable.Part(key: ShareTable.Key(log: log, sender: sender, route: .experimentName(name)), bytes: bytes)
    }

    /// Routes that hold something.
    private func holders(in table: ShareTable) -> Int { table.accounts.values.reduce(0) { $0 + $1.holders } }

    private func time(_ seconds: Double) -> UnixTime { UnixTime(nanoseconds: UInt64(seconds * 1e9)) }

    /// Admits a request and says whether it got in.
    private mutating func admit(_ parts: ShareTable.Part..., at seconds: Double = 1) -> Bool {
        table.admit(parts, at: time(seconds)) == nil
    }

    @Test mutating func `until half is held everything is admitted`() {
        #expect(admit(part("noisy", 400)))
        #expect(admit(part("quiet", 100)))
        #expect(table.held == 500)
        #expect(!admit(part("noisy", 101)))
    }

    @Test mutating func `a route that was always alone may hold everything`() {
        for _ in 0..<10 { #expect(admit(part("only", 100), part("only", 1, log: Self.second))) }
        #expect(table.held == 1010)
    }

    @Test mutating func `once half is held a route may have its share and no more`() {
        #expect(admit(part("noisy", 450), part("a", 50)))
        #expect(table.admit([part("noisy", 100)], at: time(1))?.share == 500)
        #expect(admit(part("noisy", 50)))
        #expect(!admit(part("noisy", 1)))
        #expect(admit(part("a", 450)))
        #expect(!admit(part("a", 1)))
    }

    @Test mutating func `the share shrinks with the routes that hold something`() {
        #expect(admit(part("noisy", 600), part("a", 10), part("b", 10)))
        let excess = table.admit([part("noisy", 1)], at: time(1))
        let noisy = part("noisy", 1).key
        #expect(excess == ShareTable.Excess(claim: .init(sender: noisy.sender, key: noisy), held: 600, share: 333))
        #expect(table.admit([part("c", 1), part("noisy", 1)], at: time(1))?.share == 250)
    }

    @Test mutating func `a request with one route over its share is refused whole`() {
        #expect(admit(part("noisy", 600), part("quiet", 1)))
        #expect(!admit(part("quiet", 1), part("noisy", 1)))
        #expect(table.held == 601)
        #expect(admit(part("quiet", 1)))
    }

    @Test mutating func `a route that holds nothing is let in whatever the others hold`() {
        #expect(admit(part("noisy", 900), part("b", 1)))
        #expect(admit(part("large", 600)))
        #expect(!admit(part("large", 1)))
    }

    @Test mutating func `a route gives back when its slowest destination has settled`() {
        #expect(admit(part("a", 400), part("b", 300)))
        table.settle(part("a", 400), by: .init(destination: 0))
        #expect(table.held == 700)
        table.settle(part("a", 100), by: .init(destination: 1))
        #expect(table.held == 600)
        table.settle(part("a", 300), by: .init(destination: 1))
        #expect(table.held == 300)
        #expect(holders(in: table) == 1)
    }

    @Test mutating func `what did not get into the journal is held by nobody`() {
        #expect(admit(part("a", 400), part("b", 300, log: Self.second)))
        table.withdraw([part("a", 400), part("b", 300, log: Self.second)])
        #expect(table.held == 0)
        #expect(holders(in: table) == 0)
    }

    @Test mutating func `more settled than accepted counts for nothing`() {
        #expect(admit(part("a", 10)))
        table.settle(part("a", 50), by: .init(destination: 0))
        table.settle(part("a", 50), by: .init(destination: 1))
        table.settle(part("never seen", 50), by: .init(destination: 1))
        #expect(table.held == 0)
        #expect(admit(part("a", 10)))
        #expect(table.held == 10)
    }

    @Test mutating func `somebody who has just delivered everything is still somebody to share with`() {
        #expect(admit(part("quiet", 1), at: 1))
        for destination in 0..<2 { table.settle(part("quiet", 1), by: .init(destination: destination)) }
        #expect(admit(part("noisy", 500), at: 2))
        #expect(!admit(part("noisy", 1), at: 600))
        #expect(admit(part("noisy", 1), at: 700))
    }

    @Test mutating func `what the journal gave up is found by the time of what is left`() {
        for second in 1...10 { #expect(admit(part("a", 10), at: Double(second * 100))) }
        table.forget(before: time(500), movedBefore: time(0), by: 0, of: Self.first)
        #expect(table.held == 100)
        table.forget(before: time(500), movedBefore: time(0), by: 1, of: Self.first)
        #expect(table.held == 60)
        table.settle(part("a", 60), by: .init(destination: 0))
        table.forget(before: time(5000), movedBefore: time(0), by: 1, of: Self.first)
        #expect(table.held <= 10)
    }

    @Test mutating func `what is parked is held until it is settled there, or given up by the time of its move`() {
        #expect(admit(part("a", 300), at: 100))
        table.settle(part("a", 300), by: .init(destination: 1))
        for second in [200, 300, 400] as [Double] { table.park(part("a", 100), by: 0, at: time(second)) }
        table.forget(before: time(900), movedBefore: time(0), by: 0, of: Self.first)
        #expect(table.held == 300)
        table.settle(part("a", 100), by: .init(destination: 0, wasParked: true))
        #expect(table.held == 200)
        table.forget(before: time(900), movedBefore: time(400), by: 0, of: Self.first)
        #expect(table.held == 100)
    }

    @Test mutating func `what is left of an earlier process counts for those that have not settled it`() {
        table.restore(part("a", 300), receivedAt: time(1), pending: [1])
        table.restore(part("b", 300), receivedAt: time(1), pending: [])
        table.restore(part("b", 250), receivedAt: time(1), pending: [0, 1])
        #expect(table.held == 550)
        table.settle(part("a", 300), by: .init(destination: 0))
        #expect(table.held == 550)
        #expect(!admit(part("a", 250)))
        table.settle(part("a", 300), by: .init(destination: 1))
        #expect(table.held == 250)
    }

    @Test func `routes beyond the bound are one`() {
        var table = ShareTable(budget: 1000, destinations: [Self.first: 1], routesMax: 2, sendersMax: 10)
        func admit(_ name: String, _ bytes: Int) -> Bool { table.admit([part(name, bytes)], at: time(1)) == nil }
        #expect(admit("a", 100) && admit("b", 100) && admit("c", 200) && admit("d", 130))
        #expect(table.tracked == 2)
        #expect(holders(in: table) == 3)
        #expect(!admit("e", 10))
        #expect(admit("a", 1))
        table.settle(part("d", 330), by: .init(destination: 0))
        #expect(table.held == 201)
    }

    @Test func `a route that was tracked late settles what it held before`() {
        var table = ShareTable(budget: 1000, destinations: [Self.first: 1], routesMax: 1, sendersMax: 10)
        #expect(table.admit([part("a", 100)], at: time(1)) == nil)
        #expect(table.admit([part("late", 70)], at: time(1)) == nil)
        table.settle(part("a", 100), by: .init(destination: 0))
        #expect(table.admit([part("late", 30)], at: time(700)) == nil)
        #expect(table.tracked == 1)
        #expect(table.held == 100)
        table.settle(part("late", 70), by: .init(destination: 0))
        table.settle(part("late", 30), by: .init(destination: 0))
        #expect(table.held == 0)
    }

    @Test mutating func `names that one sender invents take nothing from another`() {
        let (victim, noisy) = (Sender.address(SourceAddress(bits: 1)), Sender.address(SourceAddress(bits: 2)))
        #expect(admit(part("shop", 300, from: victim)))
        for name in 0..<50 { #expect(admit(part("\(name)", 4, from: noisy))) }
        // By name alone the share would be 1000 / 51.
        #expect(admit(part("shop", 200, from: victim)))
        #expect(!admit(part("shop", 1, from: victim)))
        #expect(table.admit([part("shop", 1, from: victim)], at: time(1))?.share == 500)
        // Even a name that nobody has used finds no room once its sender has its share.
        #expect(admit(part("new", 300, from: noisy)))
        #expect(
            table.admit([part("newer", 1, from: noisy)], at: time(1))
                == ShareTable.Excess(claim: .init(sender: noisy), held: 500, share: 500)
        )
    }

    @Test mutating func `a sender with a name is one sender wherever it sends from, and its routes share`() {
        let (ann, bob) = (Sender.identity("ann"), Sender.identity("bob"))
        #expect(admit(part("a", 250, from: ann), part("b", 100, from: ann)))
        #expect(admit(part("c", 150, from: bob)))
        #expect(table.admit([part("a", 1, from: ann)], at: time(1))?.share == 250)
        #expect(admit(part("b", 150, from: ann)))
        #expect(table.admit([part("b", 1, from: ann)], at: time(1))?.claim == .init(sender: ann))
        #expect(admit(part("c", 350, from: bob)))
    }

    @Test func `senders beyond the bound are one, and what they settle is found again`() {
        var table = ShareTable(budget: 1000, destinations: [Self.first: 1], routesMax: 100, sendersMax: 2)
        let senders = (0..<4).map { Sender.address(SourceAddress(bits: $0)) }
        for sender in senders { #expect(table.admit([part("a", 100, from: sender)], at: time(1)) == nil) }
        #expect(table.accounts.count == 3)
        #expect(table.admit([part("a", 200, from: senders[3])], at: time(1))?.share == 333)
        for sender in senders { table.settle(part("a", 100, from: sender), by: .init(destination: 0)) }
        #expect(table.held == 0)
        #expect(table.admit([part("a", 100, from: senders[3])], at: time(1000)) == nil)
        #expect(table.accounts[senders[3]]?.held == 100)
    }

    @Test(arguments: 1...20)
    func `random histories keep the account and the rule`(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        var table = ShareTable(budget: 10_000, destinations: [Self.first: 2], routesMax: 1000, sendersMax: 10)
        var model = ShareModel()
        for step in 0..<400 {
            let route = "r\(Int.random(in: 0..<6, using: &generator))"
            if Int.random(in: 0..<3, using: &generator) > 0 {
                let bytes = Int.random(in: 1...400, using: &generator)
                let isAdmitted = table.admit([part(route, bytes)], at: time(Double(step))) == nil
                #expect(isAdmitted == model.mayHold(bytes, route, of: 10_000), "seed \(seed), step \(step)")
                if isAdmitted { model.records.append((route, bytes, [0, 1])) }
            } else if let position = model.records.indices.randomElement(using: &generator) {
                let (route, bytes, pending) = model.records[position]
                let destination = pending.randomElement(using: &generator) ?? 0
                table.settle(part(route, bytes), by: .init(destination: destination))
                model.settle(position, by: destination)
            }
            #expect(table.held == model.held, "seed \(seed), step \(step)")
            #expect(holders(in: table) == model.holders.count, "seed \(seed), step \(step)")
        }
    }
}

/// What the table must say, from the records themselves.
private struct ShareModel {
    var records: [(route: String, bytes: Int, pending: Set<Int>)] = []
    private var routes: Set<String> = []

    var holders: Set<String> { Set(records.map(\.route)) }
    var held: Int { holders.reduce(0) { $0 + held(by: $1) } }

    func held(by route: String) -> Int {
        (0..<2).map { destination in
            records.filter { $0.route == route && $0.pending.contains(destination) }.reduce(0) { $0 + $1.bytes }
        }.max() ?? 0
    }

    mutating func mayHold(_ bytes: Int, _ route: String, of budget: Int) -> Bool {
        let isKnown = routes.subtracting([route]).count > 0
        let mine = held(by: route)
        let share = budget / max(2, holders.union([route]).count)
        let may = held + bytes <= budget / 2 || !isKnown || mine == 0 || mine + bytes <= share
        if may { routes.insert(route) }
        return may
    }

    mutating func settle(_ position: Int, by destination: Int) {
        records[position].pending.remove(destination)
        if records[position].pending.isEmpty { records.remove(at: position) }
    }
}
