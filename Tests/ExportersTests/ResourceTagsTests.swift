import Basics
import OTLP
import TestKit
import Testing

@testable import Exporters

struct ResourceTagsTests {
    private func resources(_ body: [UInt8], _ patterns: [String] = ResourceTags.standard) throws -> [[String]] {
        let batch = try SpanBatch(ResourceTags(patterns).applied(to: body))
        return batch.resources.map { resource in resource.attributes.map { batch.text(batch.attributes[$0].key) } }
    }

    @Test func `machine, process and instrumentation are no tags, a team's own attributes are`() throws {
        let body = tracesRequest(
            [TestSpan("a"), TestSpan("b", id: 2)],
            resource: [
                "telemetry.sdk.name": "otel", "service.name": "shop", "process.command_args": ["python", "app.py"],
                "team": "web", "host.name": "h", "os.type": "linux", "container.id": "c", "container.name": "n",
                "service.instance.id": "i", "langwatch.sdk.version": "1", "imported_libraries": ["json"],
            ]
        )
        #expect(try resources(body) == [["service.name", "team", "container.name"]])
        #expect(try resources(body, ["*", "!*", "te*"]) == [["telemetry.sdk.name", "team"]])
        #expect(try resources(body, []) == [[]])
        let spans = try SpanBatch(ResourceTags(ResourceTags.standard).applied(to: body))
        #expect(spans.spans.map { spans.text($0.name) } == ["a", "b"])
    }

    @Test func `what loses nothing stays byte for byte`() throws {
        let body = tracesRequest([TestSpan("a")], resource: ["service.name": "shop"])
        #expect(ResourceTags(ResourceTags.standard).applied(to: body) == body)
        #expect(ResourceTags([]).applied(to: [0x0A, 0x05, 1]) == [0x0A, 0x05, 1])
        #expect(ResourceTags([]).applied(to: []) == [])
    }

    @Test func `merged requests are read one by one, with unknown fields between them`() throws {
        let first = tracesRequest([TestSpan("a")], resource: ["service.name": "a", "process.pid": 7])
        let second = tracesRequest([TestSpan("b")], resource: ["service.name": "b", "os.type": "x"])
        let unknown: [UInt8] = [0xFA, 0x01, 0x03, 1, 2, 3]
        let body = first + unknown + second + first + first
        #expect(try resources(body) == [["service.name"], ["service.name"], ["service.name"], ["service.name"]])
        let found = ResourceTags(ResourceTags.standard).applied(to: body)
        #expect(found.count < body.count)
        #expect((0..<found.count - 6).contains { Array(found[$0..<$0 + 6]) == unknown })
    }
}
