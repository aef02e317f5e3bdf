import Basics
import Logging
import Synchronization

/// Room on the disk: new segments within the budget, and old ones that go.
extension Committer {
    /// When a client may come back after the budget was used up: several exporters give up a request that is told to wait longer.
    private static let retryAfter = Duration.seconds(3)
    /// Below this a segment is not worth its file.
    private static let segmentBytesMin = 65536

    /// The size of a segment without large records.
    private func segmentBytes(of writer: SegmentWriter) -> Int {
        let budget = min(settings.maxBytes.bytes, writer.core.state.withLock { $0.backlogBytesMin } ?? .max)
        return max(min(settings.segment.bytes, budget / 8), SegmentHeader.areaBytes * 2)
    }

    /// Creates the next segment of a log with room for `bytes` of records, or says why not.
    ///
    /// Logs to be spared keep their open segments, because the group at hand is placed in them too.
    func startSegment(
        of writer: SegmentWriter,
        for bytes: Int,
        receivedAt: UnixTime,
        sparing: [LogID],
        replays: Bool = false
    ) -> CommitResult? {
        let needed = SegmentHeader.areaBytes + bytes
        let room =
            writer.core.role.limits.map { deadLetterRoom(of: writer, for: needed, $0, replays: replays) }
            ?? room(of: writer, for: needed, sparing: sparing)
        guard let size = room else { return .full(retryAfter: Self.retryAfter) }
        do throws(FileSystemError) {
            try writer.start(bytes: size, firstReceivedAt: receivedAt, using: &generator)
            return nil
        } catch {
            let metadata: Logger.Metadata = ["log": "\(writer.core.id)", "cause": "\(error)"]
            if !unreserved.contains(writer.core.id) { logger.error("A segment cannot be created.", metadata: metadata) }
            return error.isNoSpace ? .full(retryAfter: Self.retryAfter) : .failed("\(error)")
        }
    }

    /// The size that a new segment may have, at least `needed`; makes room as far as the settings allow.
    private func room(of writer: SegmentWriter, for needed: Int, sparing: [LogID]) -> Int? {
        let segmentBytes = segmentBytes(of: writer)
        let minimum = max(needed, min(segmentBytes, Self.segmentBytesMin))
        var sealedIdle = false
        // What moves there makes room elsewhere, and has to get in for that: behind a window a segment's worth over the budget, and
        // what is at hand, however large.
        let isMoved = writer.core.source != nil
        let advance = isMoved ? segmentBytes + needed : writer.core.id.kind == .parked ? segmentBytes : 0
        while true {
            let left = bytesLeft == .max ? .max : bytesLeft + advance
            if left >= minimum { return max(needed, min(segmentBytes, left)) }
            if deleteOldestPassed() { continue }
            if !sealedIdle {
                sealedIdle = true
                sealIdle(sparing: sparing)
                continue
            }
            guard settings.whenFull == .dropOldest, dropOldest() else {
                return left >= needed ? left : nil
            }
        }
    }

    private var bytesLeft: Int {
        let used = writers.reduce(0) { $1.core.role == .items ? $0 + $1.core.state.withLock { $0.bytes } : $0 }
        return settings.bytesLeft(beside: used, on: fileSystem)
    }

    /// Gives back what idle logs have preallocated.
    private func sealIdle(sparing: [LogID]) {
        for writer in writers where writer.core.role == .items && writer.isIdle && !sparing.contains(writer.core.id) {
            writer.seal()
        }
    }

    /// Expires and deletes the oldest sealed segment of all logs.
    private func dropOldest() -> Bool {
        let ages = writers.compactMap { writer -> (writer: SegmentWriter, receivedAt: UInt64)? in
            guard writer.core.role == .items else { return nil }
            let first = writer.core.state.withLock { $0.segments.first }
            guard let first, first.sealed else { return nil }
            return (writer, first.header.firstReceivedAt)
        }
        guard let oldest = ages.min(by: { $0.receivedAt < $1.receivedAt })?.writer else { return false }
        return oldest.core.update { $0.expireFirst() } && deletePassed(of: oldest, sparingNewest: false)
    }

    /// Deletes the oldest segment that every reader has passed, whatever is to be retained; false where there is none.
    private func deleteOldestPassed() -> Bool {
        let passed = writers.compactMap { writer in
            writer.core.state.withLock { $0.passedFirst(sparingNewest: false) }.map { (writer, $0.lastReceivedAt) }
        }
        return passed.sorted { $0.1 < $1.1 }.contains { deleteFirst(of: $0.0) }
    }

    /// Expires segments whose newest record is too old.
    func expireByAge() {
        observeClock()
        guard !ages.isPaused else { return }
        for writer in writers {
            let age = writer.core.role.limits?.maxAge ?? settings.maxAge
            if let open = writer.open, open.placedOffset > SegmentHeader.areaBytes, !writer.hasUnwritten,
                !writer.hasUnsynced, ages.isOlder(than: age, open.written.lastReceivedAt)
            {
                writer.seal()
            }
            writer.core.update { $0.expire(while: { ages.isOlder(than: age, $0.lastReceivedAt) }) }
        }
    }

    /// Says that somebody set the clock, and keeps it for the next process.
    private func observeClock() {
        guard let jump = ages.observe() else { return }
        logger.warning(
            "The machine's clock was set; records keep their age.",
            metadata: [
                "expected": "\(UnixTime(nanoseconds: jump.expected).text)",
                "shown": "\(UnixTime(nanoseconds: jump.shown).text)",
            ]
        )
        guard settings.storage != .memory else { return }
        do throws(FileSystemError) {
            try ClockFile(in: settings.directory, fileSystem).write(ages.known)
        } catch {
            logger.error("The step of the clock cannot be kept for the next start.", metadata: ["error": "\(error)"])
        }
    }

    /// What a group is answered while a reader of one of its logs, or of one that records of it move to, is too far behind.
    func backlogRefusal(of writer: SegmentWriter) -> CommitResult? {
        let isFull = writers.contains { reached in
            guard reached === writer || reached.core.source == writer.core.id else { return false }
            return reached.core.state.withLock { $0.isBacklogFull(unpublished: reached.unpublishedBytes) }
        }
        return isFull ? .full(retryAfter: Self.retryAfter) : nil
    }

    /// Moves readers that are too far behind, and deletes segments that every reader has passed and that are not to be retained.
    func collect() {
        let now = clock.now().nanoseconds
        let retainedSince = now - min(now, UInt64(clamping: settings.retain.wholeNanoseconds))
        for writer in writers {
            writer.core.update { $0.expireBacklogs() }
            let isRetained = settings.retain > .zero && writer.core.id.kind == .pipeline
            _ = deletePassed(of: writer, sparingNewest: true, receivedBefore: isRetained ? retainedSince : .max)
        }
    }

    /// Deletes the oldest segments of a log for as long as every reader has passed them.
    func deletePassed(of writer: SegmentWriter, sparingNewest: Bool, receivedBefore limit: UInt64 = .max) -> Bool {
        var deleted = false
        while let first = writer.core.state.withLock({ $0.passedFirst(sparingNewest: sparingNewest) }),
            first.lastReceivedAt < limit, deleteFirst(of: writer)
        {
            deleted = true
        }
        deleteEmpty(of: writer.core)
        return deleted
    }

    /// Deletes the first segment of a log, which every reader has passed; false where the cursors cannot be written.
    private func deleteFirst(of writer: SegmentWriter) -> Bool {
        let core = writer.core
        if !core.state.withLock({ $0.isFirstRemovable }) {
            guard persistCursors(of: writer), core.state.withLock({ $0.isFirstRemovable }) else { return false }
        }
        // What was moved there is known by its records alone until the cursor says it.
        if let source = core.source, let origin = self.writer(of: source), !persistCursors(of: origin) { return false }
        // The same of what was noted of them.
        core.notes.withLock(\.self)?.flush(sync: settings.sync != .never)
        remove(core.state.withLock { $0.removeFirst() })
        onRoom()
        return true
    }

    /// Deletes what a process reserved and left without records when it was killed.
    private func deleteEmpty(of core: LogCore) {
        for segment in core.state.withLock({ $0.removeEmptyInner() }) { remove(segment) }
    }

    private func remove(_ segment: SegmentState) {
        do throws(FileSystemError) {
            try fileSystem.remove(segment.path)
        } catch {
            logger.warning("A segment cannot be deleted.", metadata: ["cause": "\(error)"])
        }
    }

    /// Writes the cursors that changed; false when one could not be written.
    func persistCursors(of writer: SegmentWriter) -> Bool {
        if settings.sync != .never {
            // What is settled as moved has to be where it was moved to.
            for target in writers where target.core.source == writer.core.id { sync(target) }
        }
        let readers = writer.core.state.withLock { $0.readers.map(\.name) }
        return readers.indices.reduce(true) { persistCursor(of: $1, named: readers[$1], writer) && $0 }
    }

    /// Writes the cursor of one reader where it changed; false when it could not be written.
    func persistCursor(of reader: Int, named name: String, _ writer: SegmentWriter) -> Bool {
        let core = writer.core
        guard let snapshot = core.state.withLock({ $0.snapshot(of: reader) }) else { return true }
        do throws(FileSystemError) {
            let written = try writer.cursors[name]?.write(snapshot, sync: settings.sync != .never) ?? false
            if written { core.state.withLock { $0.persisted(snapshot, of: reader) } }
            return written
        } catch {
            logger.warning("A cursor cannot be written.", metadata: ["cause": "\(error)"])
            return false
        }
    }
}

extension UInt64 {
    fileprivate func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
