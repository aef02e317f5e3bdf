import Basics
import Glibc
import Logging
import Pipeline
import Synchronization

/// How far files are replayed: in metrics, in the log at the end, and as a bar where a person watches.
///
/// Any thread.
final class ReplayProgress: Sendable {
    private struct State {
        var sizes: [FileStatus.Identity: Int] = [:]
        var read: [FileStatus.Identity: Int] = [:]
        var taken = 0
        var refused = 0
        var isShown = false
        var drawnAt = Duration.zero
    }

    private static let drawInterval = Duration.milliseconds(200)
    private static let barWidth = 30

    private let receiver: String
    private let meters: Meters
    private let clock = MonotonicClock.system
    private let state = Mutex(State())
    private let accepted: Counter
    private let refusals: Counter

    init(_ receiver: String, _ meters: Meters) {
        self.receiver = receiver
        let count = { (outcome: String) in
            meters.counter("millrace_receiver_records_total", ["receiver": receiver, "outcome": outcome])
        }
        (accepted, refusals) = (count("accepted"), count("refused"))
        self.meters = meters
    }

    private var unread: Int {
        state.withLock { state in state.sizes.reduce(0) { $0 + max(0, $1.value - (state.read[$1.key] ?? 0)) } }
    }

    /// The files are read from now on; a bar is drawn where that is wanted and standard error is a terminal.
    func begin(showing isShown: Bool) {
        let unread: @Sendable () -> Double = { [weak self] in Double(self?.unread ?? 0) }
        meters.gauge("millrace_receiver_unread_bytes", ["receiver": receiver], read: unread)
        state.withLock { $0.isShown = isShown && isatty(STDERR_FILENO) == 1 }
    }

    /// These are the files to read.
    func look(at files: [SourceFile]) {
        state.withLock { state in
            state.sizes = Dictionary(files.map { ($0.identity, $0.size) }) { max($0, $1) }
            state.read = state.read.filter { state.sizes[$0.key] != nil }
        }
    }

    func took() {
        accepted.add()
        state.withLock { $0.taken += 1 }
    }

    func refused() {
        refusals.add()
        state.withLock { $0.refused += 1 }
    }

    /// A file is read so far.
    func read(to offset: Int, of file: SourceFile) {
        let now = clock.now()
        let line = state.withLock { state -> String? in
            state.read[file.identity] = offset
            guard state.isShown, now - state.drawnAt >= Self.drawInterval else { return nil }
            state.drawnAt = now
            return Self.line(state)
        }
        if let line { Self.draw("\r\(line)\u{1B}[K") }
    }

    /// Everything is read.
    func end(_ logger: Logger, _ path: String) {
        let state = state.withLock { state in
            defer { state.isShown = false }
            return state
        }
        if state.isShown { Self.draw("\r\(Self.line(state))\u{1B}[K\n") }
        logger.info(
            "the files are read",
            metadata: [
                "receiver": "\(receiver)", "path": "\(path)", "files": "\(state.sizes.count)",
                "requests": "\(state.taken)", "refused": "\(state.refused)",
            ]
        )
    }

    private static func line(_ state: State) -> String {
        let all = state.sizes.values.reduce(0, +)
        let read = state.sizes.reduce(0) { $0 + min($1.value, state.read[$1.key] ?? 0) }
        let share = all == 0 ? 1 : Double(read) / Double(all)
        let full = Int(share * Double(barWidth))
        let bar = String(repeating: "█", count: full) + String(repeating: "░", count: barWidth - full)
        let refused = state.refused == 0 ? "" : ", \(state.refused) refused"
        return "replay \(bar) \(Int(share * 100)) % of \(ByteCount(bytes: all)), \(state.taken) requests\(refused)"
    }

    private static func draw(_ text: String) {
        let bytes = Array(text.utf8)
        _ = unsafe write(STDERR_FILENO, bytes, bytes.count)
    }
}
