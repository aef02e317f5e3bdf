import Basics
import Glibc
import Logging
import TestKit
import Testing

@testable import Pipeline

@Suite struct `The timeline` {
    private let directory: TemporaryDirectory
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws { directory = try TemporaryDirectory() }

    private var path: String { directory.path + "/" + TimelineFile.name }

    private func time(_ seconds: UInt64) -> UnixTime { UnixTime(nanoseconds: seconds * 1_000_000_000 + 7) }

    /// One process, from its start.
    private func started(at seconds: UInt64) -> Timeline {
        let timeline = Timeline()
        timeline.start(in: directory.path, "version 1", at: time(seconds), logger: Self.logger)
        return timeline
    }

    @Test func `keeps the newest events`() {
        let timeline = Timeline()
        for number in 0..<Timeline.eventsMax + 3 { timeline.add(.paused, of: "\(number)", "a\nb", at: time(1)) }
        #expect(timeline.events.count == Timeline.eventsMax)
        #expect(timeline.events.first?.name == "3" && timeline.events.first?.text == "a b")
    }

    @Test func `goes on across restarts, and says how the process before ended`() async throws {
        let first = started(at: 1)
        #expect(first.events.map(\.kind) == [.started])
        first.add(.circuitOpened, of: "traces/\"out\"", "503 \u{2028}<b>", at: time(2))
        first.add(.stopping, at: time(3))
        await first.end(at: time(4))
        let noted = first.events
        #expect(noted.map(\.kind) == [.started, .circuitOpened, .stopping, .stopped])
        let second = started(at: 5)
        #expect(Array(second.events.prefix(4)) == noted && second.events.last?.kind == .started)
        await second.flush()
        // Killed.
        let third = started(at: 6)
        #expect(third.events.last?.kind == .startedAgain)
        #expect(third.events.last?.text == "version 1; the process before was killed, crashed or ended with an error")
        third.add(.stopping, at: time(7))
        await third.flush()
        let fourth = started(at: 8)
        #expect(fourth.events.last?.text == "version 1; the process before was ended while it stopped")
        #expect(fourth.events.count == 8 && directory.permissions(of: TimelineFile.name) == 0o600)
    }

    @Test func `loses nothing but a line that a crash has cut`() async throws {
        let first = started(at: 1)
        first.add(.paused, of: "traces/out", at: time(2))
        await first.flush()
        let whole = try readFile(path, max: .mebibytes(1))
        for cut in 2..<20 {
            truncate(path, whole.count - cut)
            let second = started(at: 3)
            #expect(second.events.map(\.kind) == [.started, .startedAgain])
            second.add(.resumed, of: "traces/out", at: time(4))
            await second.flush()
            let third = started(at: 5)
            #expect(third.events.map(\.kind) == [.started, .startedAgain, .resumed, .startedAgain])
            await third.flush()
            try write(whole)
        }
        try write(Array("{}\n[1]\n{\"at\": \"x\", \"kind\": \"other\"}\n".utf8) + whole + [0xFF, 0x0A])
        #expect(started(at: 6).events.map(\.kind) == [.started, .paused, .startedAgain])
    }

    @Test func `has a file that stays small`() async throws {
        let first = started(at: 1)
        for number in 0..<3 * TimelineFile.linesMax { first.add(.paused, of: "\(number)", at: time(2)) }
        await first.flush()
        let lines = try readFile(path, max: .mebibytes(1)).count { $0 == UInt8(ascii: "\n") }
        #expect(lines <= TimelineFile.linesMax && lines >= Timeline.eventsMax)
        let noted = first.events
        let second = started(at: 3)
        #expect(Array(second.events.dropLast()) == Array(noted.dropFirst()))
        #expect(second.events.last?.kind == .startedAgain, "the start is kept, whatever came behind it")
    }

    @Test func `goes on in its file after a fault of the disk`() async throws {
        let first = started(at: 1)
        await first.flush()
        unlink(path)
        mkdir(path, 0o700)
        first.add(.paused, at: time(2))
        await first.flush()
        rmdir(path)
        first.add(.resumed, at: time(3))
        await first.flush()
        #expect(started(at: 4).events.map(\.kind) == [.started, .paused, .resumed, .startedAgain])
    }

    @Test func `is kept in memory where the directory takes nothing`() async {
        let timeline = Timeline()
        timeline.start(in: directory.path + "/none", "version 1", at: time(1), logger: Self.logger)
        timeline.add(.paused, at: time(2))
        await timeline.end(at: time(3))
        #expect(timeline.events.map(\.kind) == [.started, .paused, .stopped])
    }

    private func write(_ bytes: [UInt8]) throws {
        let descriptor = open(path, O_WRONLY | O_TRUNC)
        defer { close(descriptor) }
        try #require(unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }
}
