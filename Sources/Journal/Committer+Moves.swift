import Basics
import Synchronization

// Records that move from one log to another in one step: `RecordMove`, applied by `SegmentWriter` when the group can be read.
extension Committer {
    /// Settles what an earlier process moved, before anything is read or appended.
    ///
    /// Ids that a move names are never given again, also where the power failed before their records were on the disk.
    func restore(_ move: RecordMove) {
        guard let writer = writer(of: move.reader.logID) else { return }
        let known = writer.nextID
        let end = move.settled.reduce(known) { max($0, $1.endID) }
        if end > known { writer.skip(to: end) }
        move.reader.settleHeld(move.settled)
        if end > known { writer.core.update { $0.lose(known..<end) } }
    }
}

extension Journal {
    /// Settles records that an earlier process moved and could not settle any more; those that are settled count once.
    ///
    /// For the start, before anything is read or appended. The calling thread waits for the journal's.
    package func restore(_ move: RecordMove) {
        let done = ThreadSignal()
        let isTaken = perform { committer in
            committer.restore(move)
            done.signal()
        }
        if isTaken { done.wait() }
    }
}
