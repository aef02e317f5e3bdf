import Basics
import Synchronization
import TestKit
import Testing

@testable import Journal

/// Records keep their age when somebody sets the machine's clock.
struct RecordAgesTests {
    /// A clock that may be set, beside one that may not.
    private final class Machine: Sendable {
        private let state = Mutex((wall: UInt64(1_000_000_000_000_000_000), boot: Duration.seconds(100)))

        var clock: WallClock {
            WallClock(
                now: { UnixTime(nanoseconds: self.state.withLock { $0.wall }) },
                sinceBoot: { self.state.withLock { $0.boot } }
            )
        }

        var now: UInt64 { clock.now().nanoseconds }

        func pass(_ time: Duration) {
            state.withLock { state in
                state.wall += UInt64(time.wholeNanoseconds)
                state.boot += time
            }
        }

        func set(by step: Duration) {
            state.withLock { $0.wall = UInt64(Int64($0.wall) + step.wholeNanoseconds) }
        }
    }

    private let machine = Machine()
    private let week = Duration.seconds(7 * 86400)
    private let hour = Duration.seconds(3600)
    private let minute = Duration.seconds(60)

    @Test func `what the clock shows without its steps goes on, also in the next process`() {
        let ages = RecordAges(machine.clock)
        machine.pass(hour)
        let before = ages.steadyNow
        machine.set(by: week)
        _ = ages.observe()
        machine.pass(hour)
        #expect(ages.steadyNow.since(before) == hour)
        let next = RecordAges(machine.clock, known: ages.known)
        machine.pass(hour)
        #expect(next.steadyNow.since(before) == hour * 2)
    }

    @Test func `a clock that goes a week forward and back makes no record older`() {
        let ages = RecordAges(machine.clock)
        let first = machine.now
        machine.pass(hour)
        machine.set(by: week)
        #expect(ages.observe()?.step == week)
        #expect(ages.observe() == nil)
        let second = machine.now
        machine.pass(hour)
        #expect(!ages.isOlder(than: hour * 2 + minute, first))
        #expect(ages.isOlder(than: hour * 2 - minute, first))
        #expect(ages.isOlder(than: hour - minute, second))
        machine.set(by: .zero - week)
        #expect(ages.observe()?.step == .zero - week)
        let third = machine.now
        machine.pass(hour)
        #expect(!ages.isOlder(than: hour * 3 + minute, first))
        #expect(ages.isOlder(than: hour * 3 - minute, first))
        #expect(!ages.isOlder(than: hour * 2 + minute, second))
        #expect(ages.isOlder(than: hour * 2 - minute, second))
        #expect(!ages.isOlder(than: hour + minute, third))
    }

    @Test func `what comes between a step back and the look that sees it is not older by it`() {
        let ages = RecordAges(machine.clock)
        machine.pass(minute)
        let before = machine.now
        machine.pass(minute)
        machine.set(by: .zero - week)
        let behind = machine.now
        machine.pass(minute)
        #expect(ages.observe()?.step == .zero - week)
        machine.pass(hour)
        #expect(!ages.isOlder(than: hour + minute * 2, behind))
        #expect(ages.isOlder(than: hour, behind))
        #expect(!ages.isOlder(than: hour + minute * 3, before))
    }

    @Test func `a clock that is put right little by little has made no step`() {
        let ages = RecordAges(machine.clock)
        for _ in 0..<10 {
            machine.pass(minute)
            machine.set(by: .seconds(20))
            #expect(ages.observe() == nil)
        }
    }

    @Test(arguments: [30 * 86400, -30 * 86400])
    func `a journal whose newest record is from another time expires nothing for an hour`(seconds: Int) {
        let newest = UnixTime(nanoseconds: machine.now)
        machine.set(by: .seconds(seconds))
        let ages = RecordAges(machine.clock, newest: newest)
        #expect(ages.isPaused)
        #expect(!ages.isOlder(than: minute, newest.nanoseconds))
        machine.pass(hour)
        #expect(!ages.isPaused)
        #expect(ages.isOlder(than: week, newest.nanoseconds) == (seconds > 0))
        #expect(!RecordAges(machine.clock, newest: UnixTime(nanoseconds: machine.now)).isPaused)
        #expect(!RecordAges(machine.clock).isPaused)
    }

    @Test func `a step outlives the process`() throws {
        let disk = Disk()
        let file = ClockFile(in: disk.settings.directory, disk.files)
        #expect(file.read() == nil)
        let jumps = [ClockJump(expected: 1, shown: .max), ClockJump(expected: 5, shown: 3)]
        _ = try disk.openStepped()
        for content in [ClockFile.Content(), .init(boot: "b", jumps: jumps), .init(boot: "", jumps: jumps)] {
            try file.write(content)
            #expect(file.read() == content)
        }
        let first = machine.now
        machine.pass(hour)
        machine.set(by: week)
        let known = ClockJump(expected: machine.now - UInt64(week.wholeNanoseconds), shown: machine.now)
        let ages = RecordAges(machine.clock, known: .init(boot: "", jumps: [known]))
        #expect(!ages.isOlder(than: hour * 2, first))
    }

    @Test func `only where the machine was started since is a gap not believed`() async throws {
        let disk = Disk()
        let journal = try disk.open([.traces()])
        #expect(await journal.append([NewRecord("one")]) == .durable)
        await journal.close()
        disk.clock.advance(by: week)
        func isPaused(_ boot: String) throws -> Bool {
            let wall = disk.clock.wall
            let logger = disk.log.logger
            let recovery = Recovery(fileSystem: disk.files, settings: disk.settings, now: wall.now(), logger: logger)
            let thread = SerialThread(name: "journal-read")
            defer { thread.stop() }
            let logs = try recovery.logs([.traces()], readThread: thread, signal: ThreadSignal())
            return recovery.ages(of: logs, wall, boot: boot).isPaused
        }
        #expect(try !isPaused(machineBoot()))
        #expect(try isPaused("another"))
        #expect(try !isPaused("another"))
    }

    @Test func `the journal says that the clock was set, and expires nothing by it`() throws {
        var disk = Disk()
        disk.settings.maxAge = week
        let stepped = try disk.openStepped([.traces()], clock: machine.clock)
        #expect(stepped.commit([NewRecord("one")]) == [.durable])
        machine.set(by: week * 4)
        stepped.committer.tick()
        #expect(stepped.logs[0].readers[0].account.outcomes == OutcomeCounts())
        #expect(disk.log.lines("The machine's clock was set; records keep their age.").count == 1)
        #expect(ClockFile(in: disk.settings.directory, disk.files).read()?.jumps.count == 1)
        machine.pass(week + hour)
        stepped.committer.tick()
        #expect(stepped.logs[0].readers[0].account.queued == 0)
    }
}
