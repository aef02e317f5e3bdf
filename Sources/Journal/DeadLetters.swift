import Basics
import Logging
import Synchronization

// The log of one exporter's dead letters, `directory/PIPELINE/dead-letters/EXPORTER/`: segments as SegmentFormat.swift
// has them and one cursor, EXPORTER.cursor, as CursorFile.swift has it, with larger slots.
//
//   - Records of the kind "dead letter" are held: no reader is given them. They count as queued, stay through every
//     restart, and end when somebody settles them, when they expire, or when damage destroys them.
//   - Records of the kind "items" are replays: the exporter's reader is given them in order, as in any log.
//   - The log has a budget of its own. What others use up, the free-space floor and the age limit of the journal do not
//     concern it, and it takes nothing from them. Dead letters use seven eighths of it; to make room for one the oldest
//     segment expires whole. The rest is for replays, which make nothing expire: what they were made from would be the
//     first to go. They settle as full where they find no room.
//   - Room in reserve: an open segment is preallocated when the journal opens and whenever there is none, so that a full
//     disk, on which nothing moves until something is written off, still takes dead letters.
//   - The log of an exporter that is no longer defined gets nothing more and keeps its dead letters: giving up the records of
//     a vanished reader gives up its replays alone.

extension Committer {
    /// A segment of dead letters without large records: small enough that a reserve for each exporter costs little.
    private static let deadLetterSegmentBytesMax = 1 << 20

    /// The size of a new segment of dead letters; nil where there is no room for it.
    ///
    /// The oldest expire to make room, unless it is for `replays`.
    func deadLetterRoom(of writer: SegmentWriter, for needed: Int, _ limits: DeadLetterLimits, replays: Bool) -> Int? {
        let usual = min(Self.deadLetterSegmentBytesMax, limits.maxBytes.bytes / 8, settings.segment.bytes)
        // One dead letter may use all of it.
        let budget = replays ? limits.maxBytes.bytes : max(needed, limits.maxBytes.bytes - limits.maxBytes.bytes / 8)
        let size = max(needed, min(budget, max(usual, SegmentHeader.areaBytes * 2)))
        let core = writer.core
        while core.state.withLock({ $0.bytes }) + size > budget {
            if deletePassed(of: writer, sparingNewest: false) { continue }
            guard !replays, core.update({ $0.expireFirst() }), deletePassed(of: writer, sparingNewest: false)
            else { return nil }
        }
        return size
    }

    /// Gives every log of dead letters an open segment.
    func reserveDeadLetters() {
        for writer in writers where writer.core.role != .items && writer.open == nil && writer.core.isDefined {
            guard let refusal = startSegment(of: writer, for: 0, receivedAt: clock.now(), sparing: []) else {
                unreserved.remove(writer.core.id)
                continue
            }
            if unreserved.insert(writer.core.id).inserted {
                logger.warning(
                    "There is no room in reserve for dead letters.",
                    metadata: ["log": "\(writer.core.id)", "cause": "\(refusal)"]
                )
            }
        }
    }

    /// Keeps the cursor of each log of dead letters within its slot: the oldest expire where too many stay unsettled
    /// between settled ones.
    func boundDeadLetters() {
        for writer in writers where writer.core.role != .items {
            let rangesMax = CursorSlot.deadLetters.rangesMax - LogReader.inFlightMax
            writer.core.update { $0.expire(untilRanges: rangesMax) }
        }
    }
}
