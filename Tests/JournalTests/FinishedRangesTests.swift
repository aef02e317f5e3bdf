import TestKit
import Testing

@testable import Journal

@Suite struct FinishedRangesTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `random insertions give what a set of ids gives`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var ranges = FinishedRanges(low: 5)
        var model = Set<UInt64>(0..<5)
        for _ in 0..<300 {
            let lower = UInt64.random(in: 0..<200, using: &generator)
            let range = lower..<lower + UInt64.random(in: 0..<8, using: &generator)
            let fresh = range.count { model.insert($0).inserted }
            #expect(ranges.insert(range) == UInt64(fresh), "seed \(seed), \(range)")
            #expect((0..<210).allSatisfy { ranges.contains($0) == model.contains($0) }, "seed \(seed)")
            #expect(ranges.low + ranges.countAboveLow == UInt64(model.count), "seed \(seed)")
            #expect(
                FinishedRanges(low: ranges.low, ranges: ranges.ranges) == ranges,
                "seed \(seed): not in normal form"
            )
        }
    }

    @Test(
        arguments: [[0..<1], [5..<6], [7..<7], [8..<9, 8..<10], [20..<22, 7..<8], [7..<9, 9..<10]] as [[Range<UInt64>]]
    )
    func `ranges out of order are refused`(ranges: [Range<UInt64>]) {
        #expect(FinishedRanges(low: 5, ranges: ranges) == nil)
    }
}
