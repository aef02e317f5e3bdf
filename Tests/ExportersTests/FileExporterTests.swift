import Basics
import Exporters
import Foundation
import OTLP
import Pipeline
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) final class FileExporterTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString)")
        .path
    private let thread = SerialThread(name: "file-tests")
    private let encoder = BodyEncoder()
    private let clock = ManualClock()
    private let log = LogLines()

    deinit {
        thread.stop()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func path(_ name: String) -> String { "\(folder)/deep/\(name)" }

    private func exporter(_ settings: FileSettings) -> FileExporter {
        FileExporter(
            settings,
            thread: thread,
            encoder: encoder,
            clock: MonotonicClock(clock),
            logger: log.logger
        )
    }

    private func batch(_ payload: [UInt8]) -> Batch {
        Batch(signal: .traces, route: .none, headers: [], payload: payload, items: 1)
    }

    private static func request(_ name: String) -> [UInt8] { Body.request(service: "s", Body.span(1, name)) }

    /// What is in the folder, in order.
    private var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/deep")) ?? []).sorted()
    }

    private func permissions(_ path: String) -> Int? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.posixPermissions] as? Int
    }

    private func content(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { Array($0) } }

    private func lines(_ path: String) throws -> [JSONNode] {
        let bytes = try #require(content(path))
        #expect(bytes.last == UInt8(ascii: "\n"))
        return try bytes.split(separator: UInt8(ascii: "\n")).map { try JSONNode(parsing: Array($0)) }
    }

    private func prepare(_ name: String, _ content: [UInt8]) {
        try? FileManager.default.createDirectory(atPath: "\(folder)/deep", withIntermediateDirectories: true)
        _ = FileManager.default.createFile(atPath: path(name), contents: Data(content))
    }

    @Test func `each batch becomes one line of OTLP JSON`() async throws {
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("one"))) == .delivered)
        #expect(await exporter.export(batch(Self.request("two"))) == .delivered)
        let names = try lines(path("t.jsonl")).map { line in
            let scope = line["resourceSpans"]?.elements?.first?["scopeSpans"]?.elements?.first
            return scope?["spans"]?.elements?.first?["name"]?.string
        }
        #expect(names == ["one", "two"])
        await exporter.close()
    }

    @Test func `each batch becomes one frame of protobuf`() async throws {
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf))
        let payload = [UInt8](repeating: 7, count: 258)
        #expect(await exporter.export(batch(payload)) == .delivered)
        #expect(await exporter.export(batch([9])) == .delivered)
        #expect(content(path("t.pb")) == [0, 0, 1, 2] + payload + [0, 0, 0, 1, 9])
        await exporter.close()
    }

    @Test(arguments: [
        ("", ""), ("{}\n", "{}\n"), ("{}\n{\"resourceSpans\":", "{}\n"), ("{\"res", ""), ("{}\n\0\0\0", "{}\n"),
        ("{}\n{}\n{\"resourceSpans\":[{\"a}]}\\\"", "{}\n{}\n"), ("{}\n{\"resourceLogs\":[{}\0\0", "{}\n"),
    ])
    func `a torn line is cut off when the file is opened`(before: String, kept: String) async throws {
        prepare("t.jsonl", Array(before.utf8))
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("next"))) == .delivered)
        let text = String(decoding: try #require(content(path("t.jsonl"))), as: UTF8.self)
        #expect(text.hasPrefix(kept + #"{"resourceSpans""#))
        #expect(text.split(separator: "\n").count == kept.split(separator: "\n").count + 1)
        #expect(names == ["t.jsonl"])
        await exporter.close()
    }

    @Test(
        arguments: [
            ([], []), ([0, 0, 0, 2, 10, 0], [0, 0, 0, 2, 10, 0]), ([0, 0, 0, 2, 10, 0, 0, 0], [0, 0, 0, 2, 10, 0]),
            ([0, 0, 0, 2, 10, 0, 0, 0, 0, 9, 10, 7, 1], [0, 0, 0, 2, 10, 0]), ([0, 0, 0, 0], [0, 0, 0, 0]),
            ([0, 0, 0, 9, 10, 7, 10, 10], []), ([0, 0, 0, 9, 10, 1, 1, 0, 0], []), ([0, 0, 0, 9], []),
        ] as [([UInt8], [UInt8])]
    )
    func `a torn frame is cut off when the file is opened`(before: [UInt8], kept: [UInt8]) async throws {
        prepare("t.pb", before)
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf))
        #expect(await exporter.export(batch([8])) == .delivered)
        #expect(content(path("t.pb")) == kept + [0, 0, 0, 1, 8])
        #expect(names == ["t.pb"])
        await exporter.close()
    }

    @Test func `a long torn line is found across reads`() async throws {
        prepare("t.jsonl", Array("{}\n{\"resourceSpans\":\"".utf8) + [UInt8](repeating: 65, count: 200_000))
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("next"))) == .delivered)
        #expect(try lines(path("t.jsonl")).count == 2)
        await exporter.close()
    }

    @Test func `a whole line without its end is kept and ended`() async throws {
        prepare("t.jsonl", Array(#"{"resourceSpans":[]}"#.utf8))
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("next"))) == .delivered)
        #expect(try lines(path("t.jsonl")).count == 2)
        #expect(try lines(path("t.jsonl")).first?["resourceSpans"]?.elements?.isEmpty == true)
        await exporter.close()
    }

    /// Name, format, and what another program, another format or damage left.
    static let foreign: [(String, FileSettings.Format, [UInt8])] = [
        ("text", .json, Array("notes\nof mine".utf8)), ("a line of text", .json, Array("notes\n".utf8)),
        ("a document", .json, Array("{\n  \"resourceSpans\": [\n  ]\n}".utf8)),
        ("lines of another program", .json, Array("{\"level\":\"info\"}\n{\"level\":".utf8)),
        ("more behind a whole line", .json, Array("{\"resourceSpans\":[]} and more".utf8)),
        ("gzip", .json, [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 10]), ("frames", .json, [0, 0, 0, 2, 10, 0]),
        ("zeros", .json, [UInt8](repeating: 0, count: 9)),
        ("text as frames", .protobuf, Array("notes\nof mine".utf8)), ("two bytes", .protobuf, [0, 0]),
        ("lines as frames", .protobuf, Array("{\"resourceSpans\":[]}\n".utf8)),
        ("gzip as frames", .protobuf, [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 10]),
        ("a length that is far too large", .protobuf, [255, 255, 255, 255]),
        // The first of two records, and the last, with a larger length than they had, and one with a smaller.
        ("a damaged first length", .protobuf, [0, 0, 0, 200, 10, 0, 0, 0, 0, 2, 10, 0]),
        ("a damaged last length", .protobuf, [0, 0, 0, 2, 10, 0, 0, 0, 0, 200, 10, 0]),
        ("a length that is too small", .protobuf, [0, 0, 0, 3, 10, 3, 65, 65, 0]),
    ]

    @Test(arguments: foreign)
    func `what the exporter cannot have written is moved aside whole`(
        what: String,
        format: FileSettings.Format,
        before: [UInt8]
    ) async throws {
        prepare("t.data", before)
        prepare("t.data.moved.1", [1])
        let exporter = exporter(FileSettings(path: path("t.data"), format: format))
        for _ in 0..<2 { #expect(await exporter.export(batch(Self.request("next"))) == .delivered) }
        #expect(names == ["t.data", "t.data.moved.1", "t.data.moved.2"])
        #expect(content(path("t.data.moved.1")) == [1])
        #expect(content(path("t.data.moved.2")) == before)
        #expect(log.all.count == 1)
        #expect(log.all.first?.hasPrefix("moved \(path("t.data")) aside to \(path("t.data.moved.2")): ") == true)
        await exporter.close()
    }

    @Test(arguments: [FileSettings.Format.json, .protobuf])
    func `another format leaves the archive, also there and back`(first: FileSettings.Format) async throws {
        let second = first == .json ? FileSettings.Format.protobuf : .json
        for format in [first, second, first] {
            let exporter = exporter(FileSettings(path: path("t"), format: format))
            for _ in 0..<3 { #expect(await exporter.export(batch(Self.request("one"))) == .delivered) }
            await exporter.close()
        }
        #expect(names == ["t", "t.moved.1", "t.moved.2"])
        #expect(content(path("t")) == content(path("t.moved.1")))
    }

    @Test func `a link is written through, and moved aside where it leads to something else`() async throws {
        prepare("target", Array("notes".utf8))
        try FileManager.default.createSymbolicLink(atPath: path("t.jsonl"), withDestinationPath: "target")
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("one"))) == .delivered)
        #expect(content(path("target")) == Array("notes".utf8))
        #expect(try lines(path("t.jsonl")).count == 1)
        await exporter.close()
    }

    @Test func `what another program writes meanwhile stays`() async throws {
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("one"))) == .delivered)
        let other = try #require(FileHandle(forUpdatingAtPath: path("t.jsonl")))
        try other.seekToEnd()
        try other.write(contentsOf: Data(#"{"resourceSpans":[]}"#.utf8) + Data("\n".utf8))
        #expect(await exporter.export(batch(Self.request("two"))) == .delivered)
        #expect(try lines(path("t.jsonl")).count == 3)
        // Copied and emptied, as some programs rotate: no hole is left where the file was.
        try other.truncate(atOffset: 0)
        #expect(await exporter.export(batch(Self.request("three"))) == .delivered)
        #expect(try lines(path("t.jsonl")).count == 1)
        try other.close()
        await exporter.close()
    }

    @Test func `only user and group may read what is written, rotated files too`() async throws {
        let rotation = FileSettings.Rotation(bytes: ByteCount(bytes: 5))
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf, rotation: rotation))
        for _ in 0..<2 { #expect(await exporter.export(batch([1])) == .delivered) }
        // The umask of this process may be stricter.
        let mask = umask(0o022)
        umask(mask)
        for name in ["t.pb", "t.1.pb"] { #expect(permissions(path(name)) == 0o640 & ~Int(mask)) }
        #expect(permissions("\(folder)/deep") == 0o750 & ~Int(mask))
        #expect(permissions(folder) == 0o750 & ~Int(mask))
        await exporter.close()
    }

    @Test func `rotation does not replace what it did not write`() async throws {
        prepare("t.1.pb", Array("notes".utf8))
        try FileManager.default.createDirectory(atPath: path("t.2.pb"), withIntermediateDirectories: true)
        let rotation = FileSettings.Rotation(bytes: ByteCount(bytes: 5), keep: 2)
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf, rotation: rotation))
        for number in 0..<5 { #expect(await exporter.export(batch([UInt8(number)])) == .delivered) }
        #expect(content(path("t.pb")) == [0, 0, 0, 1, 4])
        #expect(content(path("t.1.pb")) == [0, 0, 0, 1, 3])
        #expect(content(path("t.2.pb")) == [0, 0, 0, 1, 2])
        #expect(content(path("t.2.pb.moved.2")) == Array("notes".utf8))
        #expect(names == ["t.1.pb", "t.2.pb", "t.2.pb.moved.1", "t.2.pb.moved.2", "t.pb"])
        await exporter.close()
    }

    @Test func `a full file is rotated and the oldest goes`() async throws {
        let rotation = FileSettings.Rotation(bytes: ByteCount(bytes: 12), keep: 2)
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf, rotation: rotation))
        for number in 0..<9 { #expect(await exporter.export(batch([UInt8(number)])) == .delivered) }
        #expect(content(path("t.pb")) == [0, 0, 0, 1, 8])
        #expect(content(path("t.1.pb")) == [0, 0, 0, 1, 6, 0, 0, 0, 1, 7])
        #expect(content(path("t.2.pb")) == [0, 0, 0, 1, 4, 0, 0, 0, 1, 5])
        #expect(content(path("t.3.pb")) == nil)
        await exporter.close()
    }

    @Test func `a record over the limit gets a file of its own`() async throws {
        let rotation = FileSettings.Rotation(bytes: ByteCount(bytes: 4))
        let exporter = exporter(FileSettings(path: path("t"), format: .protobuf, rotation: rotation))
        #expect(await exporter.export(batch([1, 2, 3])) == .delivered)
        #expect(await exporter.export(batch([4])) == .delivered)
        #expect(content(path("t.1")) == [0, 0, 0, 3, 1, 2, 3])
        #expect(content(path("t")) == [0, 0, 0, 1, 4])
        await exporter.close()
    }

    @Test func `an old file is rotated`() async throws {
        let rotation = FileSettings.Rotation(age: .seconds(60))
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf, rotation: rotation))
        #expect(await exporter.export(batch([1])) == .delivered)
        try await clock.sleep(until: clock.now.advanced(by: .seconds(59)), tolerance: nil)
        #expect(await exporter.export(batch([2])) == .delivered)
        try await clock.sleep(until: clock.now.advanced(by: .seconds(1)), tolerance: nil)
        #expect(await exporter.export(batch([3])) == .delivered)
        #expect(content(path("t.1.pb")) == [0, 0, 0, 1, 1, 0, 0, 0, 1, 2])
        #expect(content(path("t.pb")) == [0, 0, 0, 1, 3])
        await exporter.close()
    }

    @Test func `a full existing file is rotated before the first record`() async throws {
        prepare("t.pb", [0, 0, 0, 1, 5])
        let rotation = FileSettings.Rotation(bytes: ByteCount(bytes: 5))
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf, rotation: rotation))
        #expect(await exporter.export(batch([6])) == .delivered)
        #expect(content(path("t.1.pb")) == [0, 0, 0, 1, 5])
        #expect(content(path("t.pb")) == [0, 0, 0, 1, 6])
        await exporter.close()
    }

    @Test func `a file that was moved away is begun anew`() async throws {
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf))
        #expect(await exporter.export(batch([1])) == .delivered)
        try FileManager.default.moveItem(atPath: path("t.pb"), toPath: path("moved"))
        #expect(await exporter.export(batch([2])) == .delivered)
        #expect(content(path("moved")) == [0, 0, 0, 1, 1])
        #expect(content(path("t.pb")) == [0, 0, 0, 1, 2])
        await exporter.close()
    }

    @Test func `a full disk is tried again`() async {
        let exporter = exporter(FileSettings(path: "/dev/full", format: .protobuf))
        let outcome = await exporter.export(batch([1]))
        #expect(outcome == .unavailable(reason: "write /dev/full: No space left on device", after: nil))
    }

    @Test(arguments: ["/dev/full", "/dev/null"])
    func `a device is never rotated`(device: String) async {
        let rotation = FileSettings.Rotation(bytes: ByteCount(bytes: 1), age: .seconds(1))
        let exporter = exporter(FileSettings(path: device, format: .protobuf, rotation: rotation))
        for _ in 0..<3 { _ = await exporter.export(batch([1])) }
        #expect(FileManager.default.fileExists(atPath: device))
        #expect(!FileManager.default.fileExists(atPath: device + ".1"))
        await exporter.close()
    }

    @Test func `a pipe that nobody reads is tried again and holds up no other file`() async throws {
        prepare("plain", [])
        try #require(mkfifo(path("pipe"), 0o600) == 0)
        let stalled = exporter(FileSettings(path: path("pipe"), format: .protobuf))
        let other = exporter(FileSettings(path: path("t.pb"), format: .protobuf))
        guard case .unavailable(let reason, _) = await stalled.export(batch([UInt8](repeating: 1, count: 1 << 20)))
        else {
            Issue.record("a pipe took more than it holds")
            return
        }
        #expect(reason.contains(path("pipe")))
        #expect(await other.export(batch([9])) == .delivered)
        await stalled.close()
        await other.close()
    }

    @Test func `a path that is a folder is tried again with a clear reason`() async {
        try? FileManager.default.createDirectory(atPath: path("t"), withIntermediateDirectories: true)
        let exporter = exporter(FileSettings(path: path("t"), format: .protobuf))
        #expect(
            await exporter.export(batch([1])) == .unavailable(reason: "open \(path("t")): Is a directory", after: nil)
        )
    }

    @Test func `a folder that cannot be created is tried again with a clear reason`() async {
        prepare("plain", [1])
        let exporter = exporter(FileSettings(path: path("plain/t.jsonl")))
        let outcome = await exporter.export(batch(Self.request("x")))
        #expect(outcome == .unavailable(reason: "open \(path("plain/t.jsonl")): Not a directory", after: nil))
    }

    @Test func `two writers do not mix their records`() async {
        let first = exporter(FileSettings(path: path("t.pb"), format: .protobuf))
        let second = exporter(FileSettings(path: path("t.pb"), format: .protobuf))
        #expect(await first.export(batch([1])) == .delivered)
        guard case .unavailable(let reason, _) = await second.export(batch([2])) else {
            Issue.record("both write")
            return
        }
        #expect(reason.contains("another process"))
        await first.close()
        #expect(await second.export(batch([2])) == .delivered)
        await second.close()
    }
}
