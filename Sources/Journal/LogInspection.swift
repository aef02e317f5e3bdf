import Basics

/// Looks at the folder of one log.
///
/// Cursors are read before the segments, so that a process that goes on writing can only be ahead of them, and once more
/// behind them, so that what it settled and deleted meanwhile is not taken for a loss.
struct LogInspection {
    private(set) var log: InspectedLog
    private(set) var findings: [JournalFinding] = []

    /// Looks at the newest segment while a process writes there, at most.
    private static let looksMax = 8

    private let fileSystem: any FileSystem
    private let readsBodies: Bool
    private var tallies: [CursorTally] = []
    private var held = IDSet()
    /// Ids that no record has.
    private var gaps: [Gap] = []

    private struct Gap {
        let ids: Range<UInt64>
        let path: String
        let offset: Int?
    }

    /// A segment's header, and what is known before its records are read.
    private struct Head {
        let path: String
        let header: SegmentHeader
        let bytes: Int
        var closedAt: UInt64?
    }

    /// Nil where the folder is not that of a log.
    init?(_ id: LogID, of journal: String, _ fileSystem: any FileSystem, readsBodies: Bool) {
        let directory = journal + "/" + id.folder
        guard let names = try? fileSystem.entries(of: directory) else { return nil }
        let readers = names.compactMap(FileName.reader).sorted()
        guard !readers.isEmpty || names.contains(where: { FileName.segmentNumber($0) != nil }) else { return nil }
        self.fileSystem = fileSystem
        self.readsBodies = readsBodies
        log = InspectedLog(id: id, directory: directory)
        tallies = readers.compactMap { tally(of: $0) }
        let numbers = ((try? fileSystem.entries(of: directory)) ?? names).compactMap(FileName.segmentNumber)
        let heads = heads(numbers.sorted())
        let lows = tallies.compactMap(\.cursor).map { $0.closedID == nil ? $0.finished.low : .max }
        let firstID = heads.first?.header.firstID ?? lows.filter { $0 < .max }.max() ?? 0
        if let low = lows.min(), low < firstID { gaps.append(Gap(ids: low..<firstID, path: directory, offset: nil)) }
        for head in heads { survey(head) }
        judge(firstID: firstID)
    }

    private mutating func note(_ path: String, _ offset: Int? = nil, _ text: String) {
        findings.append(JournalFinding(severity: .note, path: path, offset: offset, text: text))
    }

    private mutating func problem(_ path: String, _ offset: Int? = nil, _ text: String) {
        findings.append(JournalFinding(severity: .problem, path: path, offset: offset, text: text))
    }
}

// Files.
extension LogInspection {
    private mutating func heads(_ numbers: [UInt64]) -> [Head] {
        var heads: [Head] = []
        for number in numbers {
            guard let head = head(number) else { continue }
            if let last = heads.indices.last {
                heads[last].closedAt = max(heads[last].header.firstID, head.header.firstID)
            }
            heads.append(head)
        }
        return heads
    }

    private mutating func head(_ number: UInt64) -> Head? {
        let path = log.directory + "/" + FileName.segment(number)
        guard let file = open(path), let bytes = try? file.size() else { return nil }
        let area = file.readTolerantly(SegmentHeader.areaBytes, at: 0)
        switch SegmentHeader.reading(area) {
        case .valid(let header) where header.number == number:
            for offset in SegmentHeader.damagedCopies(in: area) {
                problem(path, offset, "a copy of the segment's header is damaged; the other is valid")
            }
            return Head(path: path, header: header, bytes: bytes)
        case .valid(let header): problem(path, 0, "the header is that of segment \(header.number)")
        case .foreign(let version):
            problem(path, 8, "format version \(version); this Millrace reads version \(SegmentHeader.version)")
        // Had it held records that count, their ids would be missing.
        case .blank: note(path, 0, "no header: the segment is being created, or that was cut short")
        case .damaged: problem(path, 0, "both copies of the segment's header are damaged")
        }
        return nil
    }

    private mutating func open(_ path: String) -> (any File)? {
        do throws(FileSystemError) {
            return try fileSystem.open(path, .readOnly)
        } catch {
            // Deleted meanwhile.
            if !error.isNotFound { problem(path, nil, "cannot be opened: \(error)") }
            return nil
        }
    }

    private mutating func tally(of reader: String) -> CursorTally? {
        let path = log.directory + "/" + FileName.escaped(reader) + FileName.cursorSuffix
        guard let file = open(path) else { return nil }
        let slots = CursorSlots(file, slot(of: file))
        if let version = slots.foreignVersion, slots.newest == nil {
            problem(path, 8, "the cursor has the foreign format version \(version)")
        }
        for offset in slots.damaged {
            if slots.newest == nil {
                problem(path, offset, "the cursor is damaged; its reader will begin with the oldest record")
            } else {
                note(path, offset, "one of two slots is not valid: it is being written, or a crash cut that short")
            }
        }
        return CursorTally(reader: reader, path: path, slots.newest?.snapshot)
    }
}

// Records.
extension LogInspection {
    private mutating func survey(_ head: Head) {
        // Opened again: there may be more segments than a process may have files.
        guard let file = open(head.path) else {
            let ids = head.header.firstID..<(head.closedAt ?? head.header.firstID)
            if !ids.isEmpty { gaps.append(Gap(ids: ids, path: head.path, offset: nil)) }
            return
        }
        let (found, records) = look(head, file)
        var expected = head.header.firstID
        for (header, offset) in records { count(header, at: offset, in: head.path, &expected) }
        if let closedAt = head.closedAt, expected < closedAt {
            gaps.append(Gap(ids: expected..<closedAt, path: head.path, offset: nil))
        }
        for range in found.damage {
            problem(head.path, range.lowerBound, "\(range.count) bytes hold no valid record: a checksum does not match")
        }
        let torn = head.closedAt == nil && found.tornBytes > 0
        let tornTail = torn ? found.endOffset..<found.endOffset + found.tornBytes : nil
        if let tornTail {
            let text = "\(tornTail.count) bytes behind the last complete group: a process is writing, or was killed"
            note(head.path, tornTail.lowerBound, text)
        }
        log.segments.append(
            InspectedSegment(
                number: head.header.number,
                path: head.path,
                firstID: head.header.firstID,
                endID: head.closedAt ?? found.endID,
                records: found.records,
                items: found.items,
                bytes: head.bytes,
                endOffset: found.endOffset,
                firstReceivedAt: found.firstReceivedAt.map(UnixTime.init(nanoseconds:)),
                lastReceivedAt: found.lastReceivedAt.map(UnixTime.init(nanoseconds:)),
                damage: found.damage,
                tornTail: tornTail
            )
        )
    }

    private mutating func count(_ header: RecordHeader, at offset: Int, in path: String, _ expected: inout UInt64) {
        if header.id > expected { gaps.append(Gap(ids: expected..<header.id, path: path, offset: offset)) }
        if header.id < expected {
            problem(path, offset, "a record has the id \(header.id); expected was \(expected) or above")
        }
        expected = max(expected, header.endID)
        if header.kind == .deadLetter, log.id.exporter != nil { held.insert(header.id..<header.endID) }
        for index in tallies.indices where !tallies[index].count(header) {
            let text = "the cursor ends within the record of the ids \(header.id) to \(header.endID - 1)"
            problem(tallies[index].path, nil, text)
        }
    }

    /// What the segment holds, and the records of its whole groups with their places.
    ///
    /// A look at the newest segment may meet a write half done: damage there counts once two looks find the same.
    private func look(_ head: Head, _ file: any File) -> (SegmentSurvey, [(RecordHeader, Int)]) {
        var latest = lookOnce(head, file)
        guard head.closedAt == nil else { return latest }
        for _ in 0..<Self.looksMax where !latest.found.damage.isEmpty {
            let starts = latest.found.damage.map(\.lowerBound)
            latest = lookOnce(head, file)
            if latest.found.damage.map(\.lowerBound) == starts { break }
        }
        return latest
    }

    private func lookOnce(_ head: Head, _ file: any File) -> (found: SegmentSurvey, records: [(RecordHeader, Int)]) {
        var records: [(RecordHeader, Int)] = []
        var wholeCount = 0
        let found = SegmentSurvey(
            file,
            head.header,
            bytes: head.bytes,
            closedAt: head.closedAt,
            readsBodies: readsBodies
        ) { header, offset in
            records.append((header, offset))
            if header.isLastOfGroup { wholeCount = records.count }
        }
        // A group that is not whole at the end of the newest segment is none.
        if head.closedAt == nil { records.removeSubrange(wholeCount...) }
        return (found, records)
    }
}

// Accounts.
extension LogInspection {
    /// Compares the accounts with what the records say, once all are known.
    private mutating func judge(firstID: UInt64) {
        let storedEnd = log.segments.last?.endID ?? firstID
        let endID = tallies.reduce(storedEnd) { max($0, $1.knownEndID) }
        if storedEnd < endID { gaps.append(Gap(ids: storedEnd..<endID, path: log.directory, offset: nil)) }
        var missing = IDSet()
        let now = tallies.map { currentCursor(at: $0.path) ?? $0.cursor }
        for gap in gaps {
            missing.insert(gap.ids)
            let text = "no record has the ids \(gap.ids.lowerBound) to \(gap.ids.upperBound - 1)"
            if now.allSatisfy({ $0.map { $0.closedID != nil || $0.finished.contains(gap.ids) } ?? false }) {
                note(gap.path, gap.offset, text + "; every account has that already")
            } else {
                problem(gap.path, gap.offset, text)
            }
        }
        for tally in tallies { judge(tally, missing, firstID: firstID, endID: endID) }
    }

    private mutating func judge(_ tally: CursorTally, _ missing: IDSet, firstID: UInt64, endID: UInt64) {
        let cursor = tally.cursor ?? Cursor(since: UnixTime(nanoseconds: 0), startID: firstID)
        let account = cursor.account(endID: endID, held: held) { id in
            log.segments.last { $0.firstID <= id }?.firstReceivedAt?.nanoseconds
        }
        if cursor.closedID == nil, tally.queued + missing.count(notIn: cursor.finished) != account.queued {
            let text = "records of \(tally.queued) items are not finished; the account says \(account.queued)"
            problem(tally.path, nil, text)
        }
        log.cursors.append(
            InspectedCursor(
                reader: tally.reader,
                path: tally.path,
                isReadable: tally.cursor != nil,
                isAbandoned: cursor.closedID != nil,
                low: cursor.finished.low,
                ranges: Array(cursor.finished.rangesAboveLow),
                account: account
            )
        )
    }

    private func currentCursor(at path: String) -> Cursor? {
        guard let file = try? fileSystem.open(path, .readOnly) else { return nil }
        return CursorSlots(file, slot(of: file)).newest?.snapshot.cursor
    }

    private func slot(of file: any File) -> CursorSlot { .of(log.id.kind, fileBytes: (try? file.size()) ?? 0) }
}

/// What the records of a log say about one cursor.
private struct CursorTally {
    let reader: String
    let path: String
    /// Nil where it cannot be read.
    let cursor: Cursor?
    /// The log's next id, as far as the cursor knows.
    let knownEndID: UInt64
    /// Items of records that it has not finished.
    private(set) var queued: UInt64 = 0

    init(reader: String, path: String, _ snapshot: CursorSnapshot?) {
        self.reader = reader
        self.path = path
        self.cursor = snapshot?.cursor
        self.knownEndID = snapshot.map { max($0.endID, $0.cursor.finished.end) } ?? 0
    }

    /// Counts a record; false when the cursor has finished a part of it.
    mutating func count(_ record: RecordHeader) -> Bool {
        guard record.items > 0, cursor?.closedID == nil else { return true }
        let finished = cursor?.finished ?? IDSet()
        if let end = finished.end(ofRangeWith: record.id) { return end >= record.endID }
        queued += UInt64(record.items)
        return (finished.start(ofRangeAfter: record.id) ?? .max) >= record.endID
    }
}
