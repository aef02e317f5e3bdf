import TestKit
import Testing

@testable import Journal

@Suite struct HeldIDsTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `random held and finished ids give what two sets of ids give`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var held = HeldIDs()
        var heldModel: Set<UInt64> = []
        var finished = FinishedRanges(low: 3)
        var finishedModel = Set<UInt64>(0..<3)
        var end: UInt64 = 0
        for _ in 0..<200 {
            let ids = end..<end + UInt64.random(in: 0...4, using: &generator)
            end = ids.upperBound
            if Bool.random(using: &generator) {
                held.append(ids)
                heldModel.formUnion(ids)
            }
            let lower = UInt64.random(in: 0...end, using: &generator)
            let done = lower..<min(end, lower + UInt64.random(in: 0...5, using: &generator))
            if done.lowerBound < done.upperBound {
                _ = finished.insert(done)
                finishedModel.formUnion(done)
            }
            #expect(held.count(notIn: finished) == UInt64(heldModel.subtracting(finishedModel).count), "seed \(seed)")
            let from = UInt64.random(in: 0...end, using: &generator)
            let other = (from..<end).first { !heldModel.contains($0) && !finishedModel.contains($0) }
            #expect(held.firstOther(from: from, below: end, notIn: finished) == other, "seed \(seed)")
            if Int.random(in: 0..<10, using: &generator) == 0 {
                let low = finished.low
                held.forget(below: low)
                heldModel = heldModel.filter { $0 >= low }
            }
        }
    }
}
