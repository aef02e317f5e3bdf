import Basics
import Journal
import Synchronization

extension DecidedTraces {
    /// Those of earlier processes, as far as they are noted beside a log; the calling thread waits for the disk.
    ///
    /// - Parameters:
    ///   - settings: Of the window.
    ///   - log: Beside which they are noted; nil for nowhere.
    ///   - moment: Now, by the owner's clock.
    ///   - steady: Now, by a clock that goes on over processes whatever steps the machine's makes.
    /// - Returns: What is known, and where more is noted.
    static func open(
        _ settings: WindowSettings,
        beside log: Log?,
        at moment: Duration,
        showing steady: UnixTime
    ) -> (traces: DecidedTraces, notes: LogNotes?) {
        guard let log else { return (DecidedTraces(settings), nil) }
        let (notes, content) = LogNotes.open(beside: log)
        let now = moment.wholeNanoseconds
        let offset = Int64(clamping: steady.nanoseconds) - now
        var traces = DecidedTraces(settings, key: notes.key, offset: offset)
        traces.restore(content.files, at: now)
        return (traces, notes)
    }
}

extension LogNotes {
    /// Writes what the start of a process has found, piece by piece; the calling thread waits for the disk.
    func write(_ found: [DecidedNote]) {
        for note in found {
            switch note {
            case .slots(let slots): write(slots)
            case .turn: turn()
            }
            flush()
        }
    }
}

extension WindowStage {
    /// Has written what is to be known of decided traces in the next process.
    func writeNotes() {
        let writes = state.withLock { $0.window.decided.takeUnwritten() }
        guard let notes, !writes.isEmpty else { return }
        for write in writes {
            switch write {
            case .slots(let slots): notes.write(slots)
            case .turn: notes.turn()
            }
        }
        journal.flush(notes)
    }
}
