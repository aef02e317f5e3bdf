import Basics
import Synchronization

/// A step of the machine's clock while the journal was open.
struct ClockJump: Sendable, Equatable {
    /// What the clock would have shown; nanoseconds since 1970.
    let expected: UInt64
    /// What it showed; nanoseconds since 1970.
    let shown: UInt64
}

/// How old records are, whatever steps the machine's clock makes: their times are those that it showed when they came.
///
/// While the journal is open, a clock that goes on through suspension (`CLOCK_BOOTTIME`) tells steps of the other one. What
/// happened while the machine was off nobody knows: where the newest record is from another time than now, nothing expires
/// for an hour, in which a clock that is wrong may be set and destinations may take what waits. Any thread.
final class RecordAges: Sendable {
    /// Steps and gaps that are shorter are taken for time.
    static let jumpMin = Duration.seconds(3600)
    /// How long nothing expires after a gap.
    static let pause = Duration.seconds(3600)
    /// Older steps concern only records that are gone, mostly.
    private static let jumpsMax = 16

    private struct State {
        var known: ClockFile.Content
        /// What the clock showed more than the time since boot, in nanoseconds.
        var offset: Int64
        /// Time since boot of the last look.
        var lookedAt: Duration
    }

    private let clock: WallClock
    private let state: Mutex<State>
    /// Time since boot until which nothing expires.
    private let resumesAt: Duration

    /// - Parameters:
    ///   - clock: The machine's.
    ///   - known: The start of the machine, and the steps that are known from before.
    ///   - newest: When the newest record came, where the machine was started since; nil where it was not.
    init(_ clock: WallClock, known: ClockFile.Content = .init(), newest: UnixTime? = nil) {
        self.clock = clock
        let (now, sinceBoot) = (clock.now(), clock.sinceBoot())
        state = Mutex(State(known: known, offset: Self.offset(now, sinceBoot), lookedAt: sinceBoot))
        let gap = newest.map { now.since($0) } ?? .zero
        resumesAt = gap > Self.jumpMin || gap < .zero - Self.jumpMin ? sinceBoot + Self.pause : .zero
    }

    /// Whether nothing expires, because the machine was off for long or came up with another time.
    var isPaused: Bool { clock.sinceBoot() < resumesAt }

    /// Looks at the clock.
    ///
    /// - Returns: The step that it made since the last time; nil for none.
    func observe() -> ClockJump? {
        let (now, sinceBoot) = (clock.now(), clock.sinceBoot())
        return state.withLock { state in
            let offset = Self.offset(now, sinceBoot)
            let step = Duration.nanoseconds(offset) - Duration.nanoseconds(state.offset)
            let expected = Int64(clamping: now.nanoseconds).subtractingReportingOverflow(offset &- state.offset)
            let unseen = sinceBoot - state.lookedAt
            (state.offset, state.lookedAt) = (offset, sinceBoot)
            guard step > Self.jumpMin || step < .zero - Self.jumpMin, !expected.overflow else { return nil }
            // The step was made at any time since the last look. Behind one back, records may have any time from what the clock
            // showed right after that look.
            let earlier = step < .zero ? unseen.wholeNanoseconds : 0
            let jump = ClockJump(
                expected: UInt64(clamping: expected.partialValue - earlier),
                shown: UInt64(clamping: Int64(clamping: now.nanoseconds) - earlier)
            )
            state.known.jumps = (state.known.jumps + [jump]).suffix(Self.jumpsMax)
            return jump
        }
    }

    /// What is known of the clock, for the next process.
    var known: ClockFile.Content { state.withLock { $0.known } }

    /// Whether a record that came then is older than `age`; false while nothing expires.
    func isOlder(than age: Duration, _ receivedAt: UInt64) -> Bool {
        guard !isPaused else { return false }
        let now = clock.now().nanoseconds
        let steps = state.withLock { state in
            state.known.jumps.filter { $0.isBehind(receivedAt, now) }.map(\.step).reduce(Duration.zero, +)
        }
        return UnixTime(nanoseconds: now).since(UnixTime(nanoseconds: receivedAt)) - steps > age
    }

    /// What the clock shows without the steps that are known.
    var steadyNow: UnixTime {
        let steps = known.jumps.reduce(Duration.zero) { $0 + $1.step }
        let shown = Int64(clamping: clock.now().nanoseconds)
        return UnixTime(nanoseconds: UInt64(clamping: shown &- steps.wholeNanoseconds))
    }

    private static func offset(_ now: UnixTime, _ sinceBoot: Duration) -> Int64 {
        Int64(clamping: now.nanoseconds) &- Int64(clamping: sinceBoot.wholeNanoseconds)
    }
}

extension ClockJump {
    /// How far the clock went; negative for back.
    var step: Duration { UnixTime(nanoseconds: shown).since(UnixTime(nanoseconds: expected)) }

    /// Whether the clock made this step after it showed `moment`, of which a record has the time.
    ///
    /// Behind a step back the clock shows some times twice; those count as the later ones, so that no record expires early.
    fileprivate func isBehind(_ moment: UInt64, _ now: UInt64) -> Bool {
        shown > expected ? moment <= expected : moment < shown || moment > now
    }
}

/// What the journal knows of the machine's clock on the disk, because the times of records outlive the process: file `.clock` of
/// its directory, a line `BOOT` for the start of the machine, then a line `EXPECTED SHOWN` for each step, in nanoseconds since
/// 1970.
struct ClockFile {
    struct Content: Equatable {
        /// Names the start of the machine; empty where that is not known.
        var boot = ""
        /// The oldest first.
        var jumps: [ClockJump] = []
    }

    private static let bytesMax = 4096

    private let path: String
    private let directory: String
    private let fileSystem: any FileSystem

    init(in directory: String, _ fileSystem: any FileSystem) {
        self.directory = directory
        // No pipeline's folder begins with a dot.
        path = "\(directory)/.clock"
        self.fileSystem = fileSystem
    }

    /// What it says; nil where it is missing or says something else.
    func read() -> Content? {
        guard let file = try? fileSystem.open(path, .readOnly), let bytes = try? file.read(Self.bytesMax, at: 0) else {
            return nil
        }
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count >= 2, lines.removeLast().isEmpty else { return nil }
        let boot = String(lines.removeFirst())
        let jumps = lines.compactMap { line -> ClockJump? in
            let numbers = line.split(separator: " ").compactMap { UInt64($0) }
            return numbers.count == 2 ? ClockJump(expected: numbers[0], shown: numbers[1]) : nil
        }
        return jumps.count == lines.count ? Content(boot: boot, jumps: jumps) : nil
    }

    /// Puts this in the place of what stands there; blocks for the disk.
    func write(_ content: Content) throws(FileSystemError) {
        try? fileSystem.remove(path)
        let file = try fileSystem.open(path, .create)
        let text = content.boot + "\n" + content.jumps.map { "\($0.expected) \($0.shown)\n" }.joined()
        try file.writeAll([Array(text.utf8)], at: 0, path: path)
        try file.sync()
        try fileSystem.syncDirectory(directory)
    }
}
