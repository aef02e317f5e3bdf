import Basics
import Foundation
import Logging
import Synchronization
import TestKit
import Testing

@testable import Journal

/// A process that is killed at any moment while it writes to a real disk.
@Suite struct KillTests {
    @Test func `what was acknowledged before the process was killed is there, dead letters included`() async throws {
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator(seed: 1)
        for round in 0..<6 {
            let microseconds = Int.random(in: 2000...60_000, using: &generator)
            setenv(Doomed.task, "\(round) \(microseconds) \(directory.path)", 1)
            await #expect(processExitsWith: .signal(SIGKILL)) {
                // The process inherits the environment; its closure may capture nothing before Swift 6.3.
                let task = String(cString: getenv(Doomed.task)).split(separator: " ", maxSplits: 2)
                try await Doomed(String(task[2]), round: Int(task[0])!).run(microseconds: Int(task[1])!)
            }
            let problems = try JournalInspection.verify(directory.path + "/data").problems
            #expect(problems.isEmpty, "round \(round)")
            let journal = try Doomed.open(directory.path)
            let acknowledged = try Doomed.acknowledged(directory.path)
            let retained = journal.logs.map(\.retainedTexts)
            #expect(Set(acknowledged).subtracting(retained.joined()).isEmpty, "round \(round)")
            #expect(journal.logs[0].readers[0].account.queued == UInt64(retained[0].count), "round \(round)")
            #expect(journal.logs[1].readers[0].account.held == UInt64(retained[1].count), "round \(round)")
            #expect(journal.logs.allSatisfy { $0.snapshot.accounts.allSatisfy { $0.account.outcomes[.lost] == 0 } })
            await journal.close()
        }
        #expect(try Doomed.acknowledged(directory.path).count > 20)
    }
}

/// What runs in the process that is killed.
private final class Doomed: CommitObserver {
    /// The variable that names the round, its microseconds and the directory.
    static let task = "MILLRACE_KILL_TEST"

    private let directory: String
    private let round: Int
    private let acknowledgements: FileHandle
    private let next = Mutex<UInt64>(0)
    private let durable = Atomic<Int>(0)
    private let journal: Journal

    init(_ directory: String, round: Int) throws {
        self.directory = directory
        self.round = round
        let path = directory + "/acknowledged"
        if round == 0 { _ = FileManager.default.createFile(atPath: path, contents: nil) }
        guard let file = FileHandle(forWritingAtPath: path) else { throw CocoaError(.fileNoSuchFile) }
        _ = try file.seekToEnd()
        acknowledgements = file
        journal = try Self.open(directory)
    }

    static func open(_ directory: String) throws -> Journal {
        try Journal.open(
            JournalSettings(directory: directory + "/data", minFree: .kibibytes(0), segment: .kibibytes(64)),
            logs: [.traces(), .deadLetters(maxBytes: .mebibytes(64))],
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
    }

    static func acknowledged(_ directory: String) throws -> [String] {
        let text = try String(contentsOfFile: directory + "/acknowledged", encoding: .utf8)
        return text.split(separator: "\n").map(String.init)
    }

    /// Appends for as long as it lives, which is some time after the first acknowledgements.
    func run(microseconds: Int) async throws {
        for _ in 0..<4 { appendNext() }
        #expect(await until { durable.load(ordering: .acquiring) >= 4 })
        let end = ContinuousClock.now + .microseconds(microseconds)
        while ContinuousClock.now < end { await Task.yield() }
        kill(getpid(), SIGKILL)
    }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        let durable = commits.filter { $0.result == .durable }
        let lines = durable.map { text($0.ticket) + "\n" }.joined()
        try? acknowledgements.write(contentsOf: Data(lines.utf8))
        self.durable.wrappingAdd(durable.count, ordering: .releasing)
        for _ in commits { appendNext() }
    }

    private func text(_ ticket: UInt64) -> String { "\(round)-\(ticket)" }

    private func appendNext() {
        let ticket = next.withLock { next in
            defer { next += 1 }
            return next
        }
        let isLetter = ticket % 4 == 0
        let record = NewRecord(text(ticket), log: isLetter ? .letters : .traces, kind: isLetter ? .deadLetter : .items)
        journal.append(RecordGroup(entries: [record]), ticket: ticket, observer: self)
    }
}
