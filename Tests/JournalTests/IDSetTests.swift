import TestKit
import Testing

@testable import Journal

@Suite struct IDSetTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `random insertions give what a set of ids gives`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var set = IDSet(below: seed % 2 * 5)
        var model = Set<UInt64>(0..<seed % 2 * 5)
        for _ in 0..<300 {
            let lower = UInt64.random(in: 0..<200, using: &generator)
            let range = lower..<lower + UInt64.random(in: 0..<8, using: &generator)
            let fresh = range.count { model.insert($0).inserted }
            #expect(set.insert(range) == UInt64(fresh), "seed \(seed), \(range)")
            #expect((0..<210).allSatisfy { set.contains($0) == model.contains($0) }, "seed \(seed)")
            #expect(set.count == UInt64(model.count), "seed \(seed)")
            #expect(set.count(below: lower) == UInt64(model.count { $0 < lower }), "seed \(seed)")
            #expect(set.low == (0...).first { !model.contains($0) }, "seed \(seed)")
            let above = Array(set.rangesAboveLow)
            #expect(IDSet(below: set.low, and: above) == set, "seed \(seed): not in normal form")
        }
    }

    @Test(
        arguments: [[0..<1], [5..<6], [7..<7], [8..<9, 8..<10], [20..<22, 7..<8], [7..<9, 9..<10]] as [[Range<UInt64>]]
    )
    func `ranges out of order are refused`(ranges: [Range<UInt64>]) {
        #expect(IDSet(below: 5, and: ranges) == nil)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `two random sets give together what two sets of ids give`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var held = IDSet()
        var heldModel: Set<UInt64> = []
        var finished = IDSet(below: 3)
        var finishedModel = Set<UInt64>(0..<3)
        var end: UInt64 = 0
        for _ in 0..<200 {
            let ids = end..<end + UInt64.random(in: 0...4, using: &generator)
            end = ids.upperBound
            if Bool.random(using: &generator) {
                held.insert(ids)
                heldModel.formUnion(ids)
            }
            let lower = UInt64.random(in: 0...end, using: &generator)
            let done = lower..<min(end, lower + UInt64.random(in: 0...5, using: &generator))
            finished.insert(done)
            finishedModel.formUnion(done)
            #expect(held.count(notIn: finished) == UInt64(heldModel.subtracting(finishedModel).count), "seed \(seed)")
            let from = UInt64.random(in: 0...end, using: &generator)
            let other = (from..<end).first { !heldModel.contains($0) && !finishedModel.contains($0) }
            #expect(held.firstMissing(from: from, below: end, orIn: finished) == other, "seed \(seed)")
            if Int.random(in: 0..<10, using: &generator) == 0 {
                let low = finished.low
                held.remove(below: low)
                heldModel = heldModel.filter { $0 >= low }
            }
        }
    }
}
