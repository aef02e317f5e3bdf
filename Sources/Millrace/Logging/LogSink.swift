import Basics
import Logging
import Synchronization

/// Takes log lines and writes them on a thread of its own, so that nobody who logs waits for standard error.
///
/// Any thread may use it, none waits for more than a lock. Twenty lines of one place of the program pass in ten seconds, and at
/// most `bytesMax` wait to be written; what is held back is counted, and the next line tells of it.
final class LogSink: Sendable {
    /// Where a program logs: as many of them as it has log statements.
    struct Place: Hashable {
        let file: String
        let line: UInt
    }

    /// The process's own log.
    static let standardError = LogSink { writeLine($0, to: .standardError) }

    /// Bytes of lines that wait to be written, at most.
    static let bytesMax = 1 << 20

    private struct State {
        var throttle = LogThrottle<Place>(linesMax: 20, in: .seconds(10))
        var lines: [String] = []
        /// Of lines that wait, those that are being written included.
        var bytes = 0
        /// Lines that found no room since one did.
        var dropped = 0
        var isWriting = false
    }

    private let state = Mutex(State())
    private let thread = SerialThread(name: "millrace-log")
    private let clock: MonotonicClock
    private let output: @Sendable (String) -> Void

    /// - Parameters:
    ///   - clock: Tells when a place may log again.
    ///   - output: Writes one line; may block.
    init(clock: MonotonicClock = .system, output: @escaping @Sendable (String) -> Void) {
        self.clock = clock
        self.output = output
    }

    deinit {
        thread.stop()
    }

    /// How many lines were held back since the last one of that place; nil where this one has to be, too.
    func admit(_ place: Place) -> Int? {
        state.withLock { state in
            guard state.bytes < Self.bytesMax else {
                state.dropped += 1
                return nil
            }
            guard let heldBack = state.throttle.admit(place, now: clock.now()) else { return nil }
            defer { state.dropped = 0 }
            return heldBack + state.dropped
        }
    }

    /// Queues a line.
    func write(_ line: String) {
        let isFirst = state.withLock { state in
            state.lines.append(line)
            state.bytes += line.utf8.count
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if isFirst { thread.submit { self.writeWaiting() } }
    }

    private func writeWaiting() {
        var written = 0
        while true {
            let lines = state.withLock { state in
                state.bytes -= written
                state.isWriting = !state.lines.isEmpty
                defer { state.lines = [] }
                return state.lines
            }
            guard !lines.isEmpty else { return }
            for line in lines { output(line) }
            written = lines.reduce(0) { $0 + $1.utf8.count }
        }
    }

    /// Blocks the calling thread until what waits is written, at most for a second: for the end of the process.
    func flush() {
        let written = ThreadSignal()
        thread.submit { written.signal() }
        _ = written.wait(for: .seconds(1))
    }
}
