import Basics
package import Journal
package import OTLP
import Synchronization

/// The dead letters of one exporter of one pipeline: spans that its destination will not take, kept until somebody
/// replays or purges them, or until they expire.
///
/// They lie in a log of their own (`LogDefinition.Role.deadLetters`), each as one held record. Moving spans there is two
/// steps, made so that a crash between them loses and repeats nothing in the account: the letter is on the disk before
/// the record it came from is settled as dead-lettered, and a letter whose origin is not settled is void. A replay appends
/// the stored bytes to the same log as a record that names its letter; from that moment the letter no longer counts.
package final class DeadLetterBox: Sendable {
    /// The log of the pipeline whose items they were.
    package let main: LogID
    package let exporter: String
    /// Whether nobody delivers what is replayed, because the pipeline file no longer names the exporter or the signal.
    let isGone: Bool
    /// Reads replayed records; the account of everything that was ever in the box.
    package let reader: LogReader
    /// The exporter's reader of the pipeline's own log.
    private let origin: LogReader
    let log: Log
    /// Where records lay that were parked before they became dead letters.
    private let parked: ParkedLog?
    private let journal: Journal
    /// Letters that a replay or a purge is working on.
    private let claimed = Mutex<Set<UInt64>>([])

    /// Replays appended in one group, at most.
    private static let groupMax = 64
    private static let groupBytesMax = 4 << 20

    /// The box of one exporter; nil where the journal has no log for it.
    package convenience init?(of exporter: String, in main: LogID, journal: Journal) {
        let log = journal.log(LogID(deadLettersOf: exporter, in: main))
        let (origin, reader) = (journal.log(main)?.reader(named: exporter), log?.reader(named: exporter))
        self.init(exporter, main, log, reader, origin, journal, isGone: false)
    }

    /// The boxes of exporters, or of whole logs, that are gone from the pipeline file: what lies there is shown and can be purged.
    package static func gone(from journal: Journal) -> [DeadLetterBox] {
        journal.vanishedReaders.filter { $0.log.kind == .deadLetters && $0.account.held > 0 }.compactMap { vanished in
            let log = journal.storedLog(vanished.log)
            let (reader, main) = (log?.storedReader(named: vanished.name), vanished.log.main)
            let origin = journal.storedLog(main)?.storedReader(named: vanished.name)
            return DeadLetterBox(vanished.name, main, log, reader, origin, journal, isGone: true)
        }
    }

    private init?(
        _ exporter: String,
        _ main: LogID,
        _ log: Log?,
        _ reader: LogReader?,
        _ origin: LogReader?,
        _ journal: Journal,
        isGone: Bool
    ) {
        guard let log, let reader, let origin else { return nil }
        self.main = main
        self.isGone = isGone
        self.exporter = exporter
        self.origin = origin
        self.log = log
        self.reader = reader
        self.journal = journal
        parked = ParkedLog(of: exporter, in: main, journal: journal)
    }

    /// Makes letters durable; false where there is no room, or the disk fails.
    ///
    /// The caller settles the records they came from only afterwards.
    func add(_ letters: [DeadLetter]) async -> Bool {
        let records = letters.map { letter in
            NewRecord(
                log: log.id,
                kind: .deadLetter,
                items: UInt32(clamping: letter.items),
                metadata: letter.encodedMetadata(),
                payload: letter.payload
            )
        }
        return await journal.append(RecordGroup(entries: records)) == .durable
    }

    /// Settles what a crash left between the two steps of a move, here and in the parked log; once, before anything is
    /// delivered.
    ///
    /// The caller writes the cursors (`Journal.persistCursors`) before it delivers: a letter is known to be void by its
    /// origin, which is not settled. The calling thread waits for the disk.
    package func recover() {
        // Records whose spans are queued where they came from; what came of them counts no more than they do.
        var void: Set<DeadLetter.Origin> = []
        var known = -1
        // Records of each log come of records of the other.
        while void.count > known {
            known = void.count
            let all = (since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max))
            log.visitRetained(since: all.since, bytesMax: all.bytesMax) { recoverLetter($0, &void) }
            parked?.log.visitRetained(since: all.since, bytesMax: all.bytesMax) { recoverParked($0, &void) }
        }
    }

    private func recoverLetter(_ record: StoredRecord, _ void: inout Set<DeadLetter.Origin>) {
        if let letter = StoredLetter(record) {
            let origin = letter.letter.origin
            guard void.contains(origin) || !isSettled(origin) else { return }
            void.insert(DeadLetter.Origin(source: .deadLetters, id: letter.id))
            reader.settleHeld([record.moved])
            return
        }
        guard record.kind == .items, let metadata = RecordMetadata(decoding: record.metadata) else { return }
        if let letter = metadata.counterpartLetter {
            let box = main.counterpart.flatMap { journal.storedLog(LogID(deadLettersOf: exporter, in: $0)) }
            let reader = box?.storedReader(named: exporter)
            guard let reader, !reader.isFinished(letter) else { return }
            reader.settleHeld([SettledRecord(id: letter, items: record.items, outcomes: record.moved.outcomes)])
        } else if let replayed = metadata.replays {
            let isVoid = void.contains(DeadLetter.Origin(source: .deadLetters, id: replayed))
            if isVoid { void.insert(DeadLetter.Origin(source: .deadLetters, id: record.id)) }
            let gone = isVoid ? record.id : replayed
            if !reader.isFinished(gone) {
                reader.settleHeld([SettledRecord(id: gone, items: record.items, outcomes: record.moved.outcomes)])
            }
        }
    }

    private func recoverParked(_ record: StoredRecord, _ void: inout Set<DeadLetter.Origin>) {
        guard let parked = RecordMetadata(decoding: record.metadata)?.parked else { return }
        let origin = DeadLetter.Origin(source: parked.source, id: parked.id)
        guard void.contains(origin) || !isSettled(origin) else { return }
        void.insert(DeadLetter.Origin(source: .parked, id: record.id))
        self.parked?.reader.settleHeld([record.moved])
    }

    private func isSettled(_ origin: DeadLetter.Origin) -> Bool {
        switch origin.source {
        case .pipeline: self.origin.isFinished(origin.id)
        case .deadLetters: reader.isFinished(origin.id)
        case .parked: parked?.reader.isFinished(origin.id) ?? true
        }
    }
}

extension DeadLetterBox {
    /// Letters read at once, at most, and their bytes: deliveries that read have their turn in between.
    private static let pageMax = (letters: 256, bytes: 4 << 20)

    /// Some letters, oldest first.
    ///
    /// - Parameters:
    ///   - first: The first id that is meant.
    ///   - lettersMax: How many.
    /// - Returns: Letters, maybe none, and where to go on; nil behind the last.
    package func letters(from first: UInt64, lettersMax: Int) async -> (letters: [StoredLetter], next: UInt64?) {
        let page = await log.records(
            from: first,
            notFinishedBy: reader,
            recordsMax: min(lettersMax, Self.pageMax.letters),
            bytesMax: Self.pageMax.bytes
        )
        return (page.records.compactMap(letter), page.next)
    }

    /// One letter; nil where there is none of that id.
    package func letter(_ id: UInt64) async -> StoredLetter? {
        await log.records(CollectionOfOne(id), bytesMax: .max).first.flatMap(letter)
    }

    /// Nil for what is no letter, or none any more.
    private func letter(_ record: StoredRecord) -> StoredLetter? {
        StoredLetter(record).flatMap { reader.isFinished($0.id) || !isSettled($0.letter.origin) ? nil : $0 }
    }

    /// Queues letters for their exporter again, with its present settings; no processor runs again.
    ///
    /// Holds a few megabytes of them at a time.
    ///
    /// - Parameters:
    ///   - id: One letter; nil for all.
    ///   - successor: The box of the log that the exporter reads now, where this one is of another.
    /// - Returns: What was queued, and whether everything was.
    package func replay(
        _ id: UInt64?,
        in successor: DeadLetterBox? = nil
    ) async -> (moved: LetterCount, isComplete: Bool) {
        let claims = await claim(id)
        defer { release(claims) }
        var moved = LetterCount()
        for group in groups(of: claims) {
            // Without those that expired meanwhile.
            let letters = await letters(group)
            let records = letters.map { letter in
                NewRecord(
                    log: (successor ?? self).log.id,
                    kind: .items,
                    items: UInt32(clamping: letter.letter.items),
                    metadata: letter.replayMetadata(inCounterpart: successor != nil).encoded(),
                    payload: letter.letter.payload
                )
            }
            guard !records.isEmpty else { continue }
            let replayed = letters.map(LetterClaim.init)
            // Settled on the journal's thread, so that none of them expires between the two steps.
            let result = await journal.append(RecordGroup(entries: records)) {
                self.reader.settleHeld(replayed.map { $0.settled { [.deadLettered: $0] } })
            }
            guard result == .durable else { return (moved, false) }
            moved.add(replayed, of: main.signal)
        }
        return (moved, true)
    }

    /// Gives letters up: they count as expired.
    ///
    /// - Parameter id: One letter; nil for all.
    /// - Returns: What was given up.
    package func purge(_ id: UInt64?) async -> LetterCount {
        let claims = await claim(id)
        defer { release(claims) }
        reader.settleHeld(claims.map { $0.settled { [.expired: $0] } })
        var purged = LetterCount()
        purged.add(claims, of: main.signal)
        return purged
    }

    /// Letters that nobody else works on, oldest first; nobody else may until they are released.
    private func claim(_ id: UInt64?) async -> [LetterClaim] {
        if let id { return await letter(id).map { claim([$0]) } ?? [] }
        var claims: [LetterClaim] = []
        var next: UInt64? = 0
        while let first = next {
            let page = await letters(from: first, lettersMax: .max)
            claims += claim(page.letters)
            next = page.next
        }
        return claims
    }

    private func claim(_ letters: [StoredLetter]) -> [LetterClaim] {
        claimed.withLock { claimed in letters.filter { claimed.insert($0.id).inserted }.map(LetterClaim.init) }
    }

    private func release(_ claims: [LetterClaim]) {
        claimed.withLock { $0.subtract(claims.map(\.id)) }
    }

    private func letters(_ group: [LetterClaim]) async -> [StoredLetter] {
        await log.records(group.map(\.id), bytesMax: .max).compactMap(letter)
    }

    private func groups(of claims: [LetterClaim]) -> [[LetterClaim]] {
        var groups: [[LetterClaim]] = []
        var bytes = 0
        for claim in claims {
            bytes += claim.bytes
            if let last = groups.last, last.count < Self.groupMax, bytes <= Self.groupBytesMax {
                groups[groups.count - 1].append(claim)
            } else {
                groups.append([claim])
                bytes = claim.bytes
            }
        }
        return groups
    }
}

/// A letter that a replay or a purge works on, without its content.
private struct LetterClaim: Sendable {
    let id: UInt64
    let items: Int
    let bytes: Int

    init(_ letter: StoredLetter) {
        id = letter.id
        items = letter.letter.items
        bytes = letter.letter.payload.count
    }

    func settled(as outcomes: (UInt64) -> OutcomeCounts) -> SettledRecord {
        SettledRecord(id: id, items: UInt32(clamping: items), outcomes: outcomes(UInt64(items)))
    }
}

/// A dead letter as it lies in its box.
package struct StoredLetter: Sendable {
    /// The id of its record in the box.
    package let id: UInt64
    package let letter: DeadLetter

    /// Nil for a record that is no dead letter, or has a form that this version cannot read.
    init?(_ record: StoredRecord) {
        guard record.kind == .deadLetter,
            let letter = DeadLetter(
                decoding: record.metadata,
                payload: record.payload,
                items: Int(record.items)
            )
        else { return nil }
        id = record.id
        self.letter = letter
    }

    fileprivate func replayMetadata(inCounterpart: Bool) -> RecordMetadata {
        var metadata = letter.metadata
        if inCounterpart { metadata.counterpartLetter = id } else { metadata.replays = id }
        return metadata
    }
}

extension StoredRecord {
    fileprivate var moved: SettledRecord {
        SettledRecord(id: id, items: items, outcomes: [.deadLettered: UInt64(items)])
    }
}

/// How many letters, and items in them.
package struct LetterCount: Sendable, Equatable {
    package private(set) var letters = 0
    package private(set) var items: [Signal: Int] = [:]

    package init() {}

    fileprivate mutating func add(_ group: [LetterClaim], of signal: Signal) {
        letters += group.count
        items[signal, default: 0] += group.reduce(0) { $0 + $1.items }
    }

    mutating func add(_ other: LetterCount) {
        letters += other.letters
        items.merge(other.items, uniquingKeysWith: +)
    }
}
