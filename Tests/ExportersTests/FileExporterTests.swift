import Basics
import Exporters
import Foundation
import Logging
import OTLP
import Pipeline
import TestKit
import Testing

@Suite(.timeLimit(.minutes(1))) final class FileExporterTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("millrace-\(UUID().uuidString)")
        .path
    private let thread = SerialThread(name: "file-tests")
    private let encoder = BodyEncoder()
    private let clock = ManualClock()

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
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        )
    }

    private func batch(_ payload: [UInt8]) -> Batch {
        Batch(signal: .traces, route: .none, headers: [], payload: payload, items: 1)
    }

    private static func request(_ name: String) -> [UInt8] { Body.request(service: "s", Body.span(1, name)) }

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
        ("", ""), ("{}\n", "{}\n"), ("{}\n{\"torn\":", "{}\n"), ("torn", ""), ("{}\n{}\n\0\0\0", "{}\n{}\n"),
    ])
    func `a torn line is cut off when the file is opened`(before: String, kept: String) async throws {
        prepare("t.jsonl", Array(before.utf8))
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("next"))) == .delivered)
        let text = String(decoding: try #require(content(path("t.jsonl"))), as: UTF8.self)
        #expect(text.hasPrefix(kept + #"{"resourceSpans""#))
        #expect(text.split(separator: "\n").count == kept.split(separator: "\n").count + 1)
        await exporter.close()
    }

    @Test(
        arguments: [
            ([], []), ([0, 0, 0, 1, 5], [0, 0, 0, 1, 5]), ([0, 0, 0, 1, 5, 0, 0], [0, 0, 0, 1, 5]),
            ([0, 0, 0, 1, 5, 0, 0, 0, 9, 1], [0, 0, 0, 1, 5]), ([0, 0, 0, 0], [0, 0, 0, 0]),
            ([255, 255, 255, 255], []),
        ] as [([UInt8], [UInt8])]
    )
    func `a torn frame is cut off when the file is opened`(before: [UInt8], kept: [UInt8]) async throws {
        prepare("t.pb", before)
        let exporter = exporter(FileSettings(path: path("t.pb"), format: .protobuf))
        #expect(await exporter.export(batch([8])) == .delivered)
        #expect(content(path("t.pb")) == kept + [0, 0, 0, 1, 8])
        await exporter.close()
    }

    @Test func `a long torn line is found across reads`() async throws {
        prepare("t.jsonl", Array("{}\n".utf8) + [UInt8](repeating: 65, count: 200_000))
        let exporter = exporter(FileSettings(path: path("t.jsonl")))
        #expect(await exporter.export(batch(Self.request("next"))) == .delivered)
        #expect(try lines(path("t.jsonl")).count == 2)
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
