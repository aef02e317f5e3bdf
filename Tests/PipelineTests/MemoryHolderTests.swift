import Basics
import Testing

@testable import Pipeline

@Suite struct `A client's share of memory` {
    private static let ann = Sender.identity("ann")
    private static let bob = Sender.identity("bob")

    private static func budget() -> MemoryBudget { MemoryBudget(limit: ByteCount(bytes: 1200)) }

    private static func reservation(_ budget: MemoryBudget, _ holder: MemoryHolder, _ bytes: Int) -> Reservation {
        let reservation = Reservation(budget, of: holder)
        #expect(reservation.grow(to: bytes))
        return reservation
    }

    @Test func `is everything while nobody else is there`() {
        let budget = Self.budget()
        let ann = budget.holder(of: Self.ann)
        let held = (0..<2).map { _ in Self.reservation(budget, ann, 500) }
        #expect(held.allSatisfy { !$0.isOverShare(adding: 200) })
    }

    @Test func `is what there is until half of it is taken, and then leaves room for a newcomer`() {
        let budget = Self.budget()
        let (ann, bob) = (budget.holder(of: Self.ann), budget.holder(of: Self.bob))
        let first = Self.reservation(budget, ann, 300)
        let second = Self.reservation(budget, ann, 300)
        #expect(!ann.isOverShare(adding: 0))
        #expect(ann.isOverShare(adding: 1) && first.isOverShare(adding: 1))
        #expect(!bob.isOverShare(adding: 1200))
        // Two clients hold something: a third of it is for each.
        let other = Self.reservation(budget, bob, 200)
        #expect(ann.isOverShare(adding: 0))
        #expect(!bob.isOverShare(adding: 200) && bob.isOverShare(adding: 201))
        second.shrink(to: 0)
        #expect(!ann.isOverShare(adding: 100) && ann.share == 400)
        other.shrink(to: 0)
        #expect(ann.share == 600)
    }

    @Test func `is exceeded by one request alone`() {
        let budget = Self.budget()
        let (ann, bob) = (budget.holder(of: Self.ann), budget.holder(of: Self.bob))
        let only = Self.reservation(budget, ann, 700)
        #expect(!only.isOverShare(adding: 500))
        let second = Self.reservation(budget, ann, 1)
        #expect(only.isOverShare(adding: 1) && second.isOverShare(adding: 1))
        #expect(bob.share == 600)
    }

    @Test func `counts what waits`() {
        let budget = Self.budget()
        let (ann, bob) = (budget.holder(of: Self.ann), budget.holder(of: Self.bob))
        let taken = Self.reservation(budget, bob, 601)
        var claims = [MemoryClaim(500, of: ann)]
        // Alone, it waits for what it needs.
        #expect(!ann.isOverShare(adding: 0, besides: 500))
        #expect(ann.isOverShare(adding: 200))
        claims.append(MemoryClaim(200, of: ann))
        #expect(ann.isOverShare(adding: 0, besides: 200))
        claims = []
        #expect(!ann.isOverShare(adding: 200))
        #expect(taken.bytes == 601)
    }

    @Test func `stays with the client while something of it is there`() {
        let budget = Self.budget()
        var first: MemoryHolder? = budget.holder(of: Self.ann)
        var held: Reservation? = first.map { Self.reservation(budget, $0, 100) }
        #expect(budget.holders.count == 1 && budget.holders.active == 1)
        first = nil
        let second = budget.holder(of: Self.ann)
        #expect(second === held?.holder)
        held = nil
        #expect(budget.holders.active == 0 && budget.inUse == 0)
        #expect(budget.holders.count == 1)
    }

    @Test func `goes with the client`() {
        let budget = Self.budget()
        for number in 0..<1000 as Range<UInt64> {
            _ = Self.reservation(budget, budget.holder(of: .address(SourceAddress(bits: number))), 1)
        }
        #expect(budget.holders.count == 0 && budget.holders.active == 0 && budget.inUse == 0)
    }

    @Test func `says who is to blame for a shortage`() {
        let budget = Self.budget()
        let (ann, bob) = (budget.holder(of: Self.ann), budget.holder(of: Self.bob))
        let held = (0..<2).map { _ in Self.reservation(budget, ann, 500) }
        let modest = Self.reservation(budget, bob, 200)
        guard case .throttled = Refused.shortage(of: held[0], isForGood: false).answer,
            case .unavailable = Refused.shortage(of: modest, isForGood: false).answer,
            case .tooLarge = Refused.shortage(of: held[0], isForGood: true).answer
        else {
            Issue.record("another answer")
            return
        }
    }
}
