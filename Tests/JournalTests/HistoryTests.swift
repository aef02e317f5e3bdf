import Basics
import TestKit
import Testing

@testable import Journal

/// Random histories of appends, reads, settlements, disk failures, crashes and restarts, against what must hold always:
/// accounts balance and say what the records say, what was durable is read by every reader or counted as expired, and
/// dead letters stay until they are settled or expire.
@Suite(.timeLimit(.minutes(10))) struct HistoryTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `whatever happens, what was durable reaches every reader`(seed: UInt64) async throws {
        try await History(seed: seed, whenFull: .reject, maxBytes: .mebibytes(64)).run(steps: 150)
    }

    @Test(arguments: 201...215 as ClosedRange<UInt64>)
    func `whatever happens, a reader with a small backlog gives way alone`(seed: UInt64) async throws {
        let backlog = Backlog(maxBytes: .kibibytes(192), whenFull: .expire)
        try await History(seed: seed, whenFull: .reject, maxBytes: .mebibytes(64), backlog: backlog).run(steps: 150)
    }

    @Test(arguments: 101...115 as ClosedRange<UInt64>)
    func `whatever happens under a small budget, what is not read counts as expired`(seed: UInt64) async throws {
        try await History(seed: seed, whenFull: .dropOldest, maxBytes: .kibibytes(384)).run(steps: 150)
    }
}

/// One random history and what is known of it.
private final class History {
    private struct ReaderModel {
        var inFlight: [StoredRecord] = []
        var seen: Set<String> = []
    }

    private let seed: UInt64
    private let disk: Disk
    private var generator: SeededGenerator
    private var journal: SteppedJournal
    private var readers: [[ReaderModel]]
    /// By log: payloads of durable records.
    private var durable: [LogID: Set<String>] = [:]
    private var durableItems: [LogID: UInt64] = [:]
    /// Payloads of durable dead letters that nobody settled.
    private var letters: Set<String> = []
    private var appended = 0
    /// A crash that keeps some sectors and not others may leave holes before records that were never acknowledged.
    private var holesPossible = false

    /// A crash may bring deleted segments and reserved space back.
    private var bytesMax: Int
    private var lettersBytesMax = 256 * 1024

    private let definitions: [LogDefinition]
    private static let lettersLog = 2

    init(seed: UInt64, whenFull: FullPolicy, maxBytes: ByteCount, backlog: Backlog? = nil) throws {
        self.seed = seed
        let defined = [ReaderDefinition(name: "one"), ReaderDefinition(name: "two", backlog: backlog)]
        definitions = [
            LogDefinition(.traces, readers: defined),
            LogDefinition(.logs, readers: [ReaderDefinition(name: "three")]),
            .deadLetters(of: "one"),
        ]
        generator = SeededGenerator(seed: seed)
        disk = Disk(seed: seed, maxBytes: maxBytes, whenFull: whenFull)
        bytesMax = maxBytes.bytes
        journal = try disk.openStepped(definitions)
        readers = definitions.map { $0.readers.map { _ in ReaderModel() } }
    }

    func run(steps: Int) async throws {
        disk.files.setShortWrites(Bool.random(using: &generator))
        for step in 0..<steps {
            try await act()
            check(step)
        }
        try await drain()
    }

    private func act() async throws {
        switch Int.random(in: 0..<22, using: &generator) {
        case 0..<8: append()
        case 8..<12: try await read()
        case 12..<16: finish()
        case 16: journal.committer.tick()
        case 17: failSomething()
        case 18: try restart()
        case 19: settleLetters()
        case 20: journal.committer.collect()
        default: try crash()
        }
    }

    // MARK: Actions

    private func append() {
        var groups: [[NewRecord]] = []
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            groups.append((0..<Int.random(in: 1...3, using: &generator)).map { _ in record() })
        }
        let results = journal.commit(groups)
        for (group, result) in zip(groups, results) where result == .durable {
            for entry in group where entry.kind != .counts {
                let text = String(decoding: entry.payload, as: UTF8.self)
                if entry.kind == .deadLetter {
                    letters.insert(text)
                } else {
                    durable[entry.log, default: []].insert(text)
                }
                durableItems[entry.log, default: 0] += UInt64(entry.items)
            }
        }
    }

    private func record() -> NewRecord {
        appended += 1
        let log = definitions[Int.random(in: 0...2, using: &generator)].id
        let items = UInt32.random(in: 1...5, using: &generator)
        let isLetter = log == .letters && Bool.random(using: &generator)
        guard isLetter || Int.random(in: 0..<6, using: &generator) > 0 else {
            return NewRecord("", items: items, log: log, kind: .counts)
        }
        let size = Int.random(in: 0..<10, using: &generator) == 0 ? 100_000 : 3000
        let padding = String(repeating: "x", count: Int.random(in: 0..<size, using: &generator))
        return NewRecord("\(appended) \(padding)", items: items, log: log, kind: isLetter ? .deadLetter : .items)
    }

    /// Reads once; something is appended first, so that there is something to read.
    private func read() async throws {
        let log = Int.random(in: 0...2, using: &generator)
        let index = Int.random(in: 0..<readers[log].count, using: &generator)
        let marker = NewRecord("marker \(appended)", log: definitions[log].id)
        appended += 1
        guard journal.commit([marker]) == [.durable] else { return }
        try await take(log, index, bytesMax: Int.random(in: 1...20_000, using: &generator))
    }

    private func take(_ log: Int, _ index: Int, bytesMax: Int) async throws {
        let reader = journal.logs[log].readers[index]
        let records = try await reader.next(bytesMax: bytesMax, recordsMax: Int.random(in: 1...20, using: &generator))
        #expect(zip(records, records.dropFirst()).allSatisfy { $0.id < $1.id }, "seed \(seed)")
        #expect(records.allSatisfy { $0.kind != .deadLetter }, "seed \(seed)")
        readers[log][index].inFlight += records
        readers[log][index].seen.formUnion(records.map(\.text))
    }

    private func finish() {
        let log = Int.random(in: 0...2, using: &generator)
        let index = Int.random(in: 0..<readers[log].count, using: &generator)
        settle(log, index) { Bool.random(using: &generator) }
    }

    private func settle(_ log: Int, _ index: Int, where isChosen: () -> Bool) {
        var kept: [StoredRecord] = []
        var settled: [SettledRecord] = []
        for record in readers[log][index].inFlight {
            guard isChosen() else {
                kept.append(record)
                continue
            }
            let rejected = UInt64.random(in: 0...UInt64(record.items), using: &generator)
            let outcomes = OutcomeCounts(delivered: UInt64(record.items) - rejected, rejected: rejected)
            settled.append(SettledRecord(id: record.id, items: record.items, outcomes: outcomes))
        }
        readers[log][index].inFlight = kept
        journal.logs[log].readers[index].finish(settled.shuffled(using: &generator))
    }

    private var heldRecords: [StoredRecord] {
        let log = journal.logs[Self.lettersLog]
        var held: [StoredRecord] = []
        log.visitRetained(since: UnixTime(nanoseconds: 0), bytesMax: ByteCount(bytes: .max)) { record in
            if record.kind == .deadLetter && !log.readers[0].isFinished(record.id) { held.append(record) }
        }
        return held
    }

    private func settleLetters() {
        let chosen = heldRecords.filter { _ in Bool.random(using: &generator) }
        letters.subtract(chosen.map(\.text))
        journal.logs[Self.lettersLog].readers[0].settleHeld(chosen.map(\.delivered))
    }

    private func failSomething() {
        let operations: [FaultyFileSystem.Operation] = [
            .write, .sync, .preallocate, .truncate, .remove, .syncDirectory,
        ]
        let operation = operations.randomElement(using: &generator) ?? .write
        let code: Int32 = Bool.random(using: &generator) ? 5 : 28
        disk.files.fail(operation, code: code, times: Int.random(in: 1...3, using: &generator))
    }

    private func restart() throws {
        disk.files.heal()
        journal.committer.close()
        if !holesPossible {
            let problems = try JournalInspection.verify(Disk.directory, fileSystem: disk.files).problems
            #expect(problems.isEmpty, "seed \(seed)")
        }
        try reopen()
    }

    private func crash() throws {
        let losses: [FaultyFileSystem.Loss] = [.everything, .nothing, .random]
        let loss = losses.randomElement(using: &generator) ?? .everything
        if loss == .random { holesPossible = true }
        disk.files.crash(losing: loss)
        try reopen()
    }

    private func reopen() throws {
        // What a failed sync left and no truncation could take away looks sound until the system forgets its pages.
        if !disk.log.lines("A segment cannot be shortened.").isEmpty { holesPossible = true }
        journal = try disk.openStepped(definitions)
        bytesMax = max(disk.settings.maxBytes.bytes, bytes)
        lettersBytesMax = max(lettersBytesMax, journal.logs[Self.lettersLog].statistics.bytes)
        for log in readers.indices {
            for index in readers[log].indices { readers[log][index].inFlight = [] }
        }
    }

    // MARK: What must hold

    private func check(_ step: Int) {
        for (log, models) in zip(journal.logs, readers) {
            for (reader, _) in zip(log.readers, models) {
                let account = reader.account
                #expect(account.isBalanced, "seed \(seed), step \(step), \(account)")
                #expect((account.oldestQueued == nil) == (account.queued == account.held), "seed \(seed), step \(step)")
                if !holesPossible { #expect(account.outcomes[.lost] == 0, "seed \(seed), step \(step)") }
            }
        }
        #expect(bytes <= bytesMax, "seed \(seed), step \(step)")
        let log = journal.logs[Self.lettersLog]
        #expect(log.statistics.bytes <= lettersBytesMax, "seed \(seed), step \(step)")
        let held = heldRecords
        let items = held.reduce(0) { $0 + UInt64($1.items) }
        #expect(log.readers[0].account.held == items || holesPossible, "seed \(seed), step \(step)")
        let outcomes = log.readers[0].account.outcomes
        let missing = letters.subtracting(held.map(\.text)).count
        #expect(missing == 0 || outcomes[.expired] > 0, "seed \(seed), step \(step)")
        #expect(disk.files.retriedSyncs == 0, "seed \(seed), step \(step)")
    }

    private var bytes: Int { journal.logs[..<Self.lettersLog].reduce(0) { $0 + $1.statistics.bytes } }

    /// A replay finds room even among as many dead letters as there may be once they are settled.
    private func emptyLetters() async throws {
        let reader = journal.logs[Self.lettersLog].readers[0]
        while reader.hasUnread { try await take(Self.lettersLog, 0, bytesMax: 100_000) }
        settle(Self.lettersLog, 0) { true }
        reader.settleHeld(heldRecords.map(\.delivered))
        journal.committer.tick()
    }

    private func drain() async throws {
        disk.files.heal()
        for log in readers.indices {
            for index in readers[log].indices {
                if log == Self.lettersLog { try await emptyLetters() }
                let end = NewRecord("end \(index)", log: definitions[log].id)
                #expect(journal.commit([end]) == [.durable], "seed \(seed)")
                while !readers[log][index].seen.contains("end \(index)") {
                    try await take(log, index, bytesMax: 100_000)
                }
                settle(log, index) { true }
                #expect(!journal.logs[log].readers[index].hasUnread, "seed \(seed)")
                let account = journal.logs[log].readers[index].account
                #expect(account.queued == 0, "seed \(seed)")
                #expect(account.outcomes.sum == account.accepted, "seed \(seed)")
                #expect(account.accepted >= durableItems[definitions[log].id] ?? 0, "seed \(seed)")
                let missing = (durable[definitions[log].id] ?? []).subtracting(readers[log][index].seen)
                #expect(missing.isEmpty || account.outcomes[.expired] > 0, "seed \(seed), \(missing.count) missing")
                let givesWay = definitions[log].role != .items || definitions[log].readers[index].backlog != nil
                let mayExpire = givesWay || disk.settings.whenFull == .dropOldest
                #expect(mayExpire || account.outcomes[.expired] == 0, "seed \(seed)")
            }
        }
    }
}
