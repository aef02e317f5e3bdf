import Basics
import Testing

struct ReleaseScheduleTests {
    /// Which looks are due, by the milliseconds of processor time before each.
    private func due(_ used: [Int]) -> [Int] {
        var schedule = ReleaseSchedule(work: .milliseconds(100), looksMax: 12, since: .milliseconds(40))
        var cpuTime = Duration.milliseconds(40)
        return used.indices.filter { index in
            cpuTime += .milliseconds(used[index])
            return schedule.isDue(cpuTime)
        }
    }

    @Test(
        arguments: [
            ([Int](repeating: 0, count: 20), []), ([50, 0, 0], []), ([100, 0, 0, 0, 0, 0], [1, 4]),
            ([60, 70, 9, 0, 0, 0], [3]), ([60, 80, 9, 0, 0, 0], [2, 5]),
            ([3000, 2000, 400, 300, 200, 5, 900, 0], [3, 5, 7]),
            ([Int](repeating: 3000, count: 25), [11, 23]), ([Int](repeating: 9, count: 25), [11, 23]),
        ] as [([Int], [Int])]
    )
    func `memory goes when work has ended or become little, and once in a while`(used: [Int], expected: [Int]) {
        #expect(due(used) == expected)
    }
}
