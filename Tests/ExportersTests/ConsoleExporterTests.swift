import Basics
import Glibc
import OTLP
import Pipeline
import Synchronization
import TestKit
import Testing

@testable import Exporters

@Suite(.timeLimit(.minutes(10))) struct ConsoleExporterTests {
    private func batch(_ payload: [UInt8]) -> Batch {
        Batch(signal: .traces, route: .none, headers: [], payload: payload, items: 1)
    }

    private static let shop = Body.request(
        service: "shop",
        Body.span(
            3,
            parent: 2,
            "chat gpt-4o",
            start: 1_200_000_000,
            end: 2_040_000_000,
            kind: 3,
            Body.attribute(9, "mlflow.spanType", Body.text(1, "CHAT_MODEL")),
            Body.attribute(9, "gen_ai.request.model", Body.text(1, "gpt-4o")),
            Body.attribute(9, "gen_ai.usage.input_tokens", Body.varint(3, 120)),
            Body.attribute(9, "gen_ai.usage.output_tokens", Body.varint(3, 45))
        ),
        Body.span(2, parent: 1, "answer", start: 1_100_000_000, end: 2_050_000_000),
        Body.span(1, "POST /checkout", end: 2_234_000_000, kind: 2),
        Body.span(4, parent: 1, "db \u{1B}[31mquery", start: 2_100_000_000, end: 2_100_250_000, error: "time\nout"),
        Body.span(5, parent: 1, "open", start: 2_200_000_000, end: 0),
        Body.span(6, trace: 2, "alone", end: 1_000_000_000)
    )

    @Test func `a trace is drawn as a tree`() {
        let text = BatchText(style: .tree, hasColours: false).render(batch(Self.shop))
        #expect(
            text == """
                trace 01010101010101010101010101010101  shop  5 spans
                └─ POST /checkout  1.23s  server
                   ├─ answer  950ms
                   │  └─ chat gpt-4o  840ms  CHAT_MODEL  gpt-4o  120 in, 45 out
                   ├─ db [31mquery  250us  error: time out
                   └─ open  not ended
                trace 02020202020202020202020202020202  shop  1 span
                └─ alone  0ns

                """
        )
    }

    @Test func `a line says the same of one span`() {
        let payload = Body.request(service: "shop", Body.span(1, "POST /checkout", kind: 2))
        let text = BatchText(style: .line, hasColours: false).render(batch(payload))
        #expect(text == "1970-01-01T00:00:01Z  shop  POST /checkout  1s  server  01010101010101010101010101010101\n")
    }

    @Test func `MLflow's usage wins over the app's`() {
        let usage = Body.bytes(
            6,
            Body.attribute(1, "input_tokens", Body.varint(3, 7)) + Body.attribute(1, "output_tokens", Body.varint(3, 8))
        )
        let span = Body.span(
            1,
            "chat",
            Body.attribute(9, "gen_ai.usage.input_tokens", Body.varint(3, 1)),
            Body.attribute(9, "mlflow.chat.tokenUsage", usage)
        )
        let text = BatchText(style: .tree, hasColours: false).render(batch(Body.request(service: "s", span)))
        #expect(text.contains("7 in, 8 out"))
    }

    @Test func `colours come only where they are wanted`() {
        let payload = Body.request(service: "s", Body.span(1, "x", error: ""))
        #expect(BatchText(style: .tree, hasColours: true).render(batch(payload)).contains("\u{1B}[31merror\u{1B}[0m"))
        #expect(!BatchText(style: .tree, hasColours: false).render(batch(payload)).contains("\u{1B}"))
    }

    @Test func `a circle of parents is still shown, every span once`() {
        let payload = Body.request(
            service: "s",
            Body.span(1, parent: 2, "a"),
            Body.span(2, parent: 1, "b"),
            Body.span(3, parent: 3, "self"),
            Body.span(3, "twice")
        )
        let text = BatchText(style: .tree, hasColours: false).render(batch(payload))
        for name in ["─ a ", "─ b ", "─ self ", "─ twice "] {
            #expect(text.split(separator: name).count == 2, "\(name)")
        }
    }

    @Test func `a chain of many spans does not grow to the right for ever`() {
        var spans = [Body.span(1, "n")]
        for id in 2...200 as ClosedRange<UInt8> { spans.append(Body.span(id, parent: id - 1, "n")) }
        let payload = Body.request(service: "s", spans)
        let lines = BatchText(style: .tree, hasColours: false).render(batch(payload)).split(separator: "\n")
        #expect(lines.count == 201)
        #expect(lines.allSatisfy { $0.count < 140 })
    }

    @Test func `bytes that are no request are named`() {
        #expect(BatchText(style: .tree, hasColours: false).render(batch([0xFF])) == "1 items of traces\n")
    }

    @Test func `the text arrives at its output`() async throws {
        let pipe = try Pipe()
        let exporter = ConsoleExporter(descriptor: pipe.writing)
        #expect(await exporter.export(batch(Self.shop)) == .delivered)
        await exporter.close()
        #expect(pipe.read().hasPrefix("trace 0101"))
    }

    @Test func `a closed output holds nothing up`() async throws {
        let pipe = try Pipe()
        pipe.closeReading()
        let exporter = ConsoleExporter(descriptor: pipe.writing)
        for _ in 0..<10 { #expect(await exporter.export(batch(Self.shop)) == .delivered) }
        await exporter.close()
    }

    @Test func `an output that nobody reads holds nothing up`() async throws {
        let pipe = try Pipe()
        let exporter = ConsoleExporter(descriptor: pipe.writing, patience: .milliseconds(1))
        for _ in 0..<1000 { #expect(await exporter.export(batch(Self.shop)) == .delivered) }
        await exporter.close()
        #expect(pipe.read().hasPrefix("trace 0101"))
    }
}

extension Body {
    fileprivate static func request(service: String, _ spans: [[UInt8]]) -> [UInt8] {
        let resource = bytes(1, attribute(1, "service.name", text(1, service)))
        return bytes(1, resource + bytes(2, spans.flatMap { bytes(2, $0) }))
    }
}

/// A pipe of the operating system.
private final class Pipe {
    let reading: Int32
    let writing: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        close(writing)
    }

    func closeReading() { close(reading) }

    /// What is in it now.
    func read() -> String {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = Glibc.read(reading, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
