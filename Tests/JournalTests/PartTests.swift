import Basics
import TestKit
import Testing

@testable import Journal

/// Logs of the parts of a pipeline, and where they lie.
@Suite struct PartTests {
    private static let main = LogID("a/b")
    private static let part = LogID("a/b", part: "logs")

    @Test func `a name says where the log lies`() {
        let rows: [(id: LogID, folder: String, name: String)] = [
            (Self.main, "a%2Fb", "a/b"),
            (Self.part, "a%2Fb/logs", "a/b/logs"),
            (LogID(deadLettersOf: "x.y", in: Self.main), "a%2Fb/dead-letters/x.y", "a/b/dead-letters"),
            (LogID(parkedBy: "x", in: Self.main), "a%2Fb/parked/x", "a/b/parked"),
            (LogID(deadLettersOf: "x", in: Self.part), "a%2Fb/logs/dead-letters/x", "a/b/logs/dead-letters"),
            (LogID(parkedBy: "x", in: Self.part), "a%2Fb/logs/parked/x", "a/b/logs/parked"),
        ]
        for (id, folder, name) in rows {
            #expect(id.folder == folder && id.name == name)
            #expect(id.pipeline == "a/b")
            #expect(id.main == (folder.contains("/logs") ? Self.part : Self.main))
            #expect(id.part == (folder.contains("/logs") ? "logs" : nil))
            #expect(id.exporter == (folder.hasSuffix("x") ? "x" : folder.hasSuffix("x.y") ? "x.y" : nil))
        }
        #expect(rows.map(\.id.kind) == [.pipeline, .pipeline, .deadLetters, .parked, .deadLetters, .parked])
    }

    private let disk: Disk = {
        var disk = Disk()
        disk.settings.parts = ["logs"]
        return disk
    }()

    private func definitions(_ ids: LogID...) -> [LogDefinition] {
        ids.map { LogDefinition($0, readers: [ReaderDefinition(name: "one", start: .oldest)]) }
    }

    @Test func `a part beside a log that was there before leaves that as it is`() async throws {
        let first = try disk.open(definitions(.traces))
        #expect(await first.append([NewRecord("old")]) == .durable)
        await first.close()
        let before = disk.files.paths(endingWith: ".log") + disk.files.paths(endingWith: ".cursor")
        let part = LogID("traces", part: "logs")
        let second = try disk.open(definitions(.traces, part))
        #expect(await second.append([NewRecord("new", log: part)]) == .durable)
        #expect(second.logs.map(\.retainedTexts) == [["old"], ["new"]])
        #expect(second.logs.map { $0.readers[0].account.accepted } == [1, 1])
        await second.close()
        let after = disk.files.paths(endingWith: ".log") + disk.files.paths(endingWith: ".cursor")
        #expect(Set(before).isSubset(of: after))
        #expect(after.contains { $0.hasPrefix("/data/traces/logs/") && $0.hasSuffix(".log") })
    }

    @Test func `a window whose cursors are gone begins with the oldest record, of log records too`() async throws {
        var disk = disk
        disk.settings.parts = ["logs", "window"]
        let logs = LogID("traces", part: "logs")
        let window = ReaderDefinition(name: "whole", isWindow: true)
        let out = ReaderDefinition(name: "out")
        let definitions = [
            LogDefinition(.traces, readers: [window]), LogDefinition(logs, readers: [out, window]),
            LogDefinition(LogID("traces", part: "window"), readers: [out], source: .traces),
            LogDefinition(LogID("other", part: "logs"), readers: [window]),
        ]
        let first = try disk.open(definitions)
        for log in first.logs { #expect(await first.append([NewRecord("old", log: log.id)]) == .durable) }
        await first.close()
        for path in disk.files.paths(endingWith: "whole.cursor") { try disk.files.remove(path) }
        let second = try disk.open(definitions)
        #expect(second.logs.map { $0.reader(named: "whole")?.account.queued } == [1, 1, nil, 0])
        await second.close()
    }

    @Test func `parts that are no longer defined are found`() async throws {
        let part = LogID("traces", part: "logs")
        let parked = LogID(parkedBy: "one", in: part)
        let first = try disk.open(definitions(.traces, part, parked))
        let group = [NewRecord("a", items: 2, log: part), NewRecord("b", items: 3, log: parked)]
        #expect(await first.append(group) == .durable)
        await first.close()
        let second = try disk.open(definitions(.traces))
        let vanished = second.vanishedReaders.sorted { $0.log.name < $1.log.name }
        #expect(vanished.map(\.log) == [part, parked])
        #expect(vanished.map(\.account.queued) == [2, 3])
        await second.close()
        let leftovers = try Journal.leftovers(in: Disk.directory, parts: ["logs"], fileSystem: disk.files)
        #expect(leftovers.map(\.log) == [part, parked])
        let inspection = try JournalInspection.verify(Disk.directory, parts: ["logs"], fileSystem: disk.files)
        #expect(inspection.logs.map(\.id) == [.traces, part, parked])
        #expect(inspection.problems.isEmpty)
    }

    @Test func `what has a name that no log has is no part`() async throws {
        let copy = LogID("traces", part: "logs.before")
        let first = try disk.open(definitions(.traces, copy))
        #expect(await first.append([NewRecord("a", items: 2, log: copy)]) == .durable)
        await first.close()
        let second = try disk.open(definitions(.traces))
        #expect(second.vanishedReaders.isEmpty)
        await second.close()
        #expect(try Journal.leftovers(in: Disk.directory, parts: ["logs"], fileSystem: disk.files).isEmpty)
        #expect(!FileName.isEscaped("lost+found") && !FileName.isEscaped(".snapshot") && FileName.isEscaped("a%2Fb"))
    }
}
