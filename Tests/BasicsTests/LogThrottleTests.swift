import Basics
import Testing

struct LogThrottleTests {
    private enum Kind { case refused, slow }

    @Test func `so many lines of a kind pass in a window, and the next one tells how many did not`() {
        var throttle = LogThrottle<Kind>(linesMax: 2, in: .seconds(10))
        let admitted = (0..<5).map { throttle.admit(.refused, now: .seconds($0)) }
        #expect(admitted == [0, 0, nil, nil, nil])
        #expect(throttle.admit(.slow, now: .seconds(5)) == 0)
        #expect(throttle.heldBack == 3)
        #expect(throttle.admit(.refused, now: .seconds(10)) == 3)
        #expect(throttle.heldBack == 0)
    }

    @Test func `the same text twice in a row passes once in a window`() {
        var throttle = LogThrottle<Kind>(linesMax: 3, in: .seconds(60))
        #expect(throttle.admit(.slow, saying: "a", now: .zero) == 0)
        #expect(throttle.admit(.slow, saying: "a", now: .seconds(1)) == nil)
        #expect(throttle.admit(.slow, saying: "b", now: .seconds(2)) == 1)
        #expect(throttle.admit(.slow, saying: "b", now: .seconds(60)) == 0)
    }
}
