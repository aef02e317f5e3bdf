import Logging
import Settings
import Testing

@testable import Configuration

/// How many clients may connect where the system limits open files.
@Suite struct DescriptorTests {
    private func file(_ first: Int, _ second: Int) throws -> PipelineFile {
        let text = """
            {"receivers": {"a": {"type": "otlp_http", "listen": "127.0.0.1:0", "max_connections": \(first)},
                           "b": {"type": "otlp_http", "listen": "127.0.0.1:0", "max_connections": \(second)}},
             "exporters": {"m": {"type": "mlflow", "endpoint": "http://m"}, "f": {"type": "file", "path": "f"}},
             "pipelines": {"t": {"receivers": ["a", "b"], "exporters": ["m", "f"]}}}
            """
        return try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
    }

    @Test func `all that are asked for where they fit`() throws {
        #expect(try file(4096, 100).connectionLimits(descriptors: .max, reserved: 200).isEmpty)
        #expect(try file(4096, 100).connectionLimits(descriptors: 4096 + 256 + 200 + 200, reserved: 200).isEmpty)
    }

    @Test func `a shared listener takes its connections once`() throws {
        let text = """
            {"receivers": {"a": {"type": "otlp_http", "listen": "127.0.0.1:1", "max_connections": 1000},
                           "b": {"type": "otlp_grpc", "listen": "127.0.0.1:1", "max_connections": 1000}},
             "exporters": {"f": {"type": "file", "path": "f"}},
             "pipelines": {"t": {"receivers": ["a", "b"], "exporters": ["f"]}}}
            """
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        #expect(file.connectionLimits(descriptors: 1256 + 200, reserved: 200).isEmpty)
        let limits = file.connectionLimits(descriptors: 800, reserved: 200)
        #expect(limits["a"] == 344 && limits["b"] == 344)
    }

    @Test(arguments: [4000, 1024, 600, 256, 200, 0])
    func `together no more than the others leave`(descriptors: Int) throws {
        let file = try file(4096, 1000)
        let reserved = file.reservedDescriptors(eventLoops: 2)
        #expect((150..<256).contains(reserved))
        let limits = file.connectionLimits(descriptors: descriptors, reserved: reserved)
        let (a, b) = (try #require(limits["a"]), try #require(limits["b"]))
        #expect(a >= 1 && b >= 1 && a <= 4096 && b <= 1000)
        // Those that are refused with an answer count too.
        let taken = a + min(a, 256) + b + min(b, 256)
        #expect(taken <= max(4, descriptors - reserved))
        if descriptors >= 1024 { #expect(taken > (descriptors - reserved) * 9 / 10 && a > b) }
    }

    @Test func `a receiver is given what there is`() throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        for (descriptors, isLess) in [(1024, true), (2_000_000, false)] {
            let limits = try file(1_000_000, 10).connectionLimits(within: descriptors, eventLoops: 2, logger: logger)
            #expect(limits.keys.sorted() == (isLess ? ["a", "b"] : []))
            if isLess { #expect(limits["a"].map { $0 < 1000 } == true) }
        }
    }
}
