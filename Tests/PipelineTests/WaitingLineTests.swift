import Basics
import Pipeline
import Synchronization
import Testing

/// Callers of a line whose attempts are played by the test.
private final class Callers: Sendable {
    let tried = Mutex<[(name: String, place: WaitingLine.Place)]>([])
    let refused = Mutex<[String]>([])
    let line: WaitingLine
    /// Who waited.
    let held = Meters().counter("held", [:])
    private let box: Box

    init() {
        let moment = Box()
        box = moment
        let clock = MonotonicClock(now: { moment.now.withLock { $0 } }, sleep: { try await Task.sleep(for: $0) })
        line = WaitingLine(bytesMax: .kibibytes(1), held: held, clock: clock)
    }

    func advance(by duration: Duration) { box.now.withLock { $0 += duration } }

    func enter(_ name: String, bytes: Int = 1) -> Bool {
        line.enter(bytes: bytes, hold: .seconds(2)) { place in
            self.tried.withLock { $0.append((name, place)) }
        } refuse: {
            self.refused.withLock { $0.append(name) }
        }
    }

    var names: [String] { tried.withLock { $0.map(\.name) } }

    func last(_ name: String) -> WaitingLine.Place? {
        tried.withLock { $0.last { $0.name == name }?.place }
    }

    private final class Box: Sendable {
        let now = Mutex(Duration.zero)
    }
}

@Suite struct WaitingLineTests {
    private let callers = Callers()

    @Test func `nobody waits for room that does not become free`() {
        #expect(!callers.enter("early"))
        callers.line.roomIsFreed()
        callers.advance(by: .milliseconds(1999))
        #expect(callers.enter("soon"))
        callers.advance(by: .milliseconds(1))
        #expect(!callers.enter("late"))
        #expect(callers.held.value == 1, "who is turned away is not counted")
    }

    @Test func `who came first tries first, and keeps the place after a failure`() throws {
        callers.line.roomIsFreed()
        for name in ["a", "b", "c"] { #expect(callers.enter(name)) }
        #expect(callers.names == ["a"], "one at a time while there is no room")
        #expect(callers.line.returns(try #require(callers.last("a"))))
        callers.line.roomIsFreed()
        #expect(callers.names == ["a", "a"])
        callers.line.leave(try #require(callers.last("a")))
        #expect(callers.names == ["a", "a", "b", "c"], "more at once as room is found")
        for name in ["b", "c"] { callers.line.leave(try #require(callers.last(name))) }
        #expect(callers.line.isEmpty)
    }

    @Test func `room that became free during an attempt is not missed`() throws {
        callers.line.roomIsFreed()
        #expect(callers.enter("a"))
        callers.line.roomIsFreed()
        #expect(callers.line.returns(try #require(callers.last("a"))))
        #expect(callers.names == ["a", "a"])
    }

    @Test func `nobody returns after his time`() throws {
        callers.line.roomIsFreed()
        #expect(callers.enter("a"))
        callers.advance(by: .seconds(2))
        callers.line.roomIsFreed()
        #expect(!callers.line.returns(try #require(callers.last("a"))))
        #expect(callers.line.isEmpty)
    }

    @Test func `what they hold together is bounded`() {
        callers.line.roomIsFreed()
        #expect(callers.enter("a", bytes: 1000))
        #expect(!callers.enter("b", bytes: 25))
        #expect(callers.enter("c", bytes: 24))
    }

    @Test func `a line that closes refuses everybody`() {
        callers.line.roomIsFreed()
        for name in ["a", "b", "c"] { #expect(callers.enter(name)) }
        callers.line.close()
        #expect(callers.refused.withLock { $0 } == ["b", "c"], "the first one is trying and is told when it returns")
        #expect(!callers.enter("d"))
    }

    @Test func `a thousand that get in at once do not pile up`() {
        let line = WaitingLine(bytesMax: .kibibytes(1))
        line.roomIsFreed()
        let entered = Atomic<Int>(0)
        let mayEnter = Atomic<Bool>(false)
        for _ in 0..<1000 {
            let waits = line.enter(bytes: 1, hold: .seconds(3600)) { place in
                if mayEnter.load(ordering: .relaxed) {
                    entered.add(1, ordering: .relaxed)
                    line.leave(place)
                } else {
                    #expect(line.returns(place))
                }
            } refuse: {
                Issue.record("refused")
            }
            #expect(waits)
        }
        mayEnter.store(true, ordering: .relaxed)
        line.roomIsFreed()
        #expect(entered.load(ordering: .relaxed) == 1000 && line.isEmpty)
    }
}
