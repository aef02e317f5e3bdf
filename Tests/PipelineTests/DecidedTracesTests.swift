import Basics
import Journal
import Logging
import OTLP
import Synchronization
import TestKit
import Testing

@testable import Pipeline

@Suite struct `Decided traces` {
    private static let hour = Int64(3_600_000_000_000)
    private static let key: (UInt64, UInt64) = (1, 2)

    private static func trace(_ number: Int, of identity: String? = nil) -> TraceKey {
        TraceKey(TraceID(high: 7, low: UInt64(number)), identity: identity)
    }

    private static func outcome(_ number: Int) -> DecidedOutcome {
        let verdict = TraceVerdict(
            policy: "policy-\(number % 3)",
            isKept: number % 2 == 0,
            threshold: number % 4 == 0 ? UInt64(number % 5) << 40 : nil
        )
        return DecidedOutcome(route: .experimentName("experiment-\(number % 100)"), verdict: verdict)
    }

    private static func traces(remember: Int64 = hour, count: Int = 10_000, offset: Int64 = 0) -> DecidedTraces {
        let bytes = count * 2 * DecidedTraces.entryBytes * 8 / 7 + 64
        return DecidedTraces(remember: remember, bytesMax: bytes, key: key, offset: offset)
    }

    @Test func `a trace is remembered with what came of it, in 20 bytes, and for longer where it is seen again`() {
        var traces = Self.traces()
        for number in 0..<10_000 {
            traces.insert(Self.trace(number), at: 0)
            traces.keep(Self.outcome(number), of: Self.trace(number), at: 0)
        }
        for number in 0..<10_000 {
            #expect(traces.outcome(of: Self.trace(number)) == Self.outcome(number))
            let isKnown = traces.contains(Self.trace(number), at: Self.hour)
            #expect(isKnown)
        }
        let asked = [
            (Self.trace(1, of: "another"), Self.hour), (Self.trace(3), 2 * Self.hour - 1),
            (Self.trace(4), 4 * Self.hour),
        ]
        let known = asked.map { traces.contains($0.0, at: $0.1) }
        #expect(known == [false, true, false])
        #expect(traces.memoryBytes < 20 * 20_000)
    }

    @Test func `as many are remembered as there is room for, the youngest ones`() {
        var traces = Self.traces(count: 1000)
        for number in 0..<100_000 { traces.keep(Self.outcome(number), of: Self.trace(number), at: 0) }
        #expect((99_000..<100_000).allSatisfy { traces.outcome(of: Self.trace($0)) == Self.outcome($0) })
        let known = (0..<97_000).filter { traces.contains(Self.trace($0), at: 0) }
        #expect(known == [])
    }

    @Test(arguments: [false, true])
    func `another process knows them, also where the last write was cut short`(isCut: Bool) async throws {
        let files = FaultyFileSystem()
        let second = Int64(1_000_000_000)
        var noted: [Int] = []
        for run in 0..<4 {
            let journal = try Self.journal(on: files)
            let (notes, content) = LogNotes.open(beside: journal.logs[0])
            var traces = DecidedTraces(
                remember: Self.hour,
                bytesMax: 1 << 20,
                key: notes.key,
                offset: Int64(run) * 100 * second
            )
            traces.restore(content.files, at: 0)
            for number in noted.dropLast(isCut ? 1 : 0) {
                #expect(traces.outcome(of: Self.trace(number)) == Self.outcome(number))
                let isKnown = traces.contains(Self.trace(number), at: 0)
                #expect(isKnown)
            }
            for number in run * 100..<run * 100 + 100 {
                traces.keep(Self.outcome(number), of: Self.trace(number), at: 0)
                noted.append(number)
            }
            for write in traces.takeUnwritten() {
                guard case .slots(let slots) = write else { continue }
                notes.write(isCut ? slots.dropLast(5) + [] : slots)
            }
            if isCut { noted.removeLast() }
            await journal.close()
        }
        // What is older than a trace is remembered is not known any more.
        let journal = try Self.journal(on: files)
        let (notes, content) = LogNotes.open(beside: journal.logs[0])
        let offset = Self.hour + 150 * second
        var traces = DecidedTraces(remember: Self.hour, bytesMax: 1 << 20, key: notes.key, offset: offset)
        traces.restore(content.files, at: 0)
        let known = noted.filter { traces.contains(Self.trace($0), at: 0) }
        #expect(known == noted.filter { $0 >= 200 })
        await journal.close()
    }

    @Test func `what is written is handed out in pieces, and once for what did not change`() {
        var traces = Self.traces()
        for number in 0..<10_000 { traces.keep(Self.outcome(number), of: Self.trace(number), at: 0) }
        let pieces = Self.slots(traces.takeUnwritten())
        #expect(pieces.count > 2 && pieces.allSatisfy { $0.count <= 68 << 10 })
        #expect(pieces.reduce(0) { $0 + $1.count } >= 10_000 * LogNotes.slotBytes)
        // Late requests of one trace, each a minute after the other for an hour.
        for minute in 0..<60 {
            let now = Int64(minute) * 60_000_000_000
            let isKnown = traces.contains(Self.trace(1), at: now)
            traces.keep(Self.outcome(1), of: Self.trace(1), at: now)
            #expect(isKnown)
        }
        let again = Self.slots(traces.takeUnwritten()).reduce(0) { $0 + $1.count } / LogNotes.slotBytes
        #expect((3...4).contains(again))
        traces.keep(Self.outcome(2), of: Self.trace(1), at: Self.hour - 1)
        #expect(!traces.takeUnwritten().isEmpty)
        #expect(traces.outcome(of: Self.trace(1)) == Self.outcome(2))
    }

    @Test func `a file has a bound, whatever changes`() {
        var traces = Self.traces(count: 1000)
        for number in 0..<20_000 { traces.keep(Self.outcome(number % 6), of: Self.trace(number % 5), at: 0) }
        let written = traces.takeUnwritten()
        let sizes = written.split(separator: .turn).map { Self.slots(Array($0)).reduce(0) { $0 + $1.count } }
        #expect(sizes.count >= 4 && sizes.allSatisfy { $0 <= 5 * 1000 * LogNotes.slotBytes })
        #expect((19_995..<20_000).allSatisfy { traces.outcome(of: Self.trace($0 % 5)) == Self.outcome($0 % 6) })
    }

    @Test func `what some of a trace got is what the rest gets, for as long as it is remembered`() {
        var traces = Self.traces()
        traces.keep(Self.outcome(3), of: Self.trace(1), at: 0)
        #expect(traces.isKept(Self.trace(1)))
        traces.insert(Self.trace(1), at: Self.hour)
        #expect(traces.outcome(of: Self.trace(1)) == Self.outcome(3))
        traces.insert(Self.trace(1), at: Self.hour + 2_000_000_000)
        #expect(traces.outcome(of: Self.trace(1)) == nil)
        #expect(!traces.isKept(Self.trace(1)))
        // What was not moved yet is not kept.
        traces.note(Self.outcome(5), of: Self.trace(1))
        #expect(!traces.isKept(Self.trace(1)))
    }

    @Test func `with less memory than before the youngest are known`() async throws {
        let files = FaultyFileSystem()
        let journal = try Self.journal(on: files)
        let (notes, _) = LogNotes.open(beside: journal.logs[0])
        var traces = Self.traces(count: 10_000)
        for number in 0..<3000 { traces.keep(Self.outcome(number), of: Self.trace(number), at: 0) }
        notes.write(traces.takeUnwritten())
        // More than may wait for a disk.
        let more = (0..<80).map { _ in DecidedNote.slots([UInt8](repeating: 0, count: 64 << 10)) }
        notes.write(more)
        await journal.close()
        let again = try Self.journal(on: files)
        let content = LogNotes.open(beside: again.logs[0]).content
        #expect(content.files[0].count >= 80 * 64 << 10)
        var fewer = Self.traces(count: 1000)
        fewer.restore(content.files, at: 0)
        #expect((2000..<3000).allSatisfy { fewer.outcome(of: Self.trace($0)) == Self.outcome($0) })
        #expect(fewer.outcome(of: Self.trace(5)) == nil)
        await again.close()
    }

    /// Of an outage, only what is as young as a trace is remembered is known again, and what may have no notes yet.
    @Test func `a start remembers no trace that was forgotten`() async throws {
        let journal = try Self.journal(on: FaultyFileSystem())
        let now = WallClock.system.now().nanoseconds
        let old = UnixTime(nanoseconds: now - 2 * UInt64(Self.hour))
        let decided = (0..<3000).map { number in
            DecidedTrace(
                key: Self.trace(number),
                outcome: Self.outcome(number),
                receivedAt: number == 7 ? UnixTime(nanoseconds: now) : old,
                isOpen: false
            )
        }
        let reader = journal.logs[0].readers[0]
        let stage = WindowStage(
            name: "whole",
            processor: Concatenation(),
            inputs: [.spans: WindowInput(log: journal.logs[0], reader: reader)],
            output: journal.logs[0],
            journal: journal,
            decided: decided,
            isNoted: true,
            bytesMax: 0,
            clock: .system,
            meters: WindowMeters(Meters(), pipeline: "traces", processor: "whole"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
        let known = stage.state.withLock { state in
            (0..<3000).filter { state.window.decided.outcome(of: Self.trace($0)) != nil }
        }
        #expect(known == [7] + Array(3000 - 1024..<3000))
        await journal.close()
    }

    private static func slots(_ notes: [DecidedNote]) -> [[UInt8]] {
        notes.compactMap { if case .slots(let slots) = $0 { slots } else { nil } }
    }

    @Test func `of the files on the disk the elder goes where a new one begins`() async throws {
        let files = FaultyFileSystem()
        let journal = try Self.journal(on: files)
        let (notes, _) = LogNotes.open(beside: journal.logs[0])
        for number in 0..<5 {
            notes.turn()
            notes.write([UInt8](repeating: UInt8(number), count: 32))
        }
        await journal.close()
        let again = try Self.journal(on: files)
        let found = LogNotes.open(beside: again.logs[0])
        #expect(found.content.files == [3, 4].map { [UInt8](repeating: $0, count: 32) })
        #expect(found.notes.key == notes.key)
        await again.close()
    }

    private static func journal(on files: FaultyFileSystem) throws -> Journal {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let log = LogDefinition(LogID("traces"), readers: [ReaderDefinition(name: "out", start: .oldest)])
        return try Journal.open(
            JournalSettings(directory: "/data", maxBytes: .mebibytes(64), minFree: .kibibytes(0)),
            logs: [log],
            fileSystem: files,
            logger: logger
        )
    }
}
