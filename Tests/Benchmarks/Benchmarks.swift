import Basics
import Glibc
import MLflow
import OTLP
import Oracle
import SwiftProtobuf
import TestKit

/// Prints the cost of each step over the bodies in `Tests/Data/payloads`, as the median of rounds.
///
/// Only the steps that are named as arguments, where some are. With `--step` it runs one step and prints no times (StepRun).
@main
enum Benchmarks {
    static func main() async throws {
        // Memory is given back and taken again as in the product.
        ProcessUsage.tuneAllocator(for: .mebibytes(256))
        if CommandLine.arguments.dropFirst().first == "--step" {
            return try await StepRun(Array(CommandLine.arguments.dropFirst(2))).run()
        }
        try printTimes()
    }

    private static func printTimes() throws {
        for name in ["large", "small"] {
            let wire = try Fixtures.bytes("payloads/\(name).pb")
            let json = try Fixtures.bytes("payloads/\(name).json")
            let spans = try SpanBatch(wire).spans.count
            print("\(name): \(spans) spans, \(wire.count) bytes in protobuf, \(json.count) in JSON")
            let rounds = Rounds(items: spans, repeats: max(1, 65_536 / spans))
            try rounds.measure("copy") { Array(wire[1...]).count }
            try rounds.measure("walk") { try SpanBatch(wire).spans.count }
            try rounds.measure("walk + one attribute a span + write") { try withOneAttribute(wire) }
            var mapper = SpanMapper(rules: try MappingRules())
            try rounds.measure("walk + mlflow_map + write") { try mapped(wire, &mapper) }
            mapper = SpanMapper(rules: try MappingRules(conventions: ["otel_genai"]))
            try rounds.measure("… of one convention") { try mapped(wire, &mapper) }
            try rounds.measure("split by trace") { split(try SpanBatch(framesOf: wire), itemsMax: spans - 1) }
            try rounds.measure("JSON tokens only") { try scan(json) }
            try rounds.measure("JSON to protobuf") { try decode(json).count }
            try rounds.measure("JSON to protobuf + walk") { try SpanBatch(try decode(json)).spans.count }
            try rounds.measure("protobuf to JSON") { try OTLPJSON.encode(wire, signal: .traces).count }
            try Rounds(items: spans, repeats: max(1, 1024 / spans)).measure("swift-protobuf, the same edit") {
                try throughObjects(wire)
            }
        }
    }

    private static func withOneAttribute(_ wire: [UInt8]) throws -> Int {
        var batch = try SpanBatch(wire)
        for span in batch.spans.indices {
            batch.addAttribute("mlflow.spanType", to: .span(span)) { $0.string("CHAT_MODEL") }
        }
        return batch.encoded()?.payload.count ?? 0
    }

    private static func mapped(_ wire: [UInt8], _ mapper: inout SpanMapper) throws -> Int {
        var batch = try SpanBatch(wire)
        _ = mapper.map(&batch)
        return batch.encoded()?.payload.count ?? 0
    }

    private static func split(_ spans: SpanBatch, itemsMax: Int) -> Int {
        spans.divided(itemsMax: itemsMax, bytesMax: .max).reduce(0) { $0 + $1.payload.count }
    }

    private static func scan(_ json: [UInt8]) throws -> Int {
        var scanner = JSONScanner()
        var tokens = 0
        while true {
            if case .end = try scanner.next(in: json.span.bytes) { return tokens }
            tokens += 1
        }
    }

    private static func decode(_ json: [UInt8]) throws -> [UInt8] {
        var deviations = DeviationCounts()
        return try OTLPJSON.decode(json, signal: .traces, deviations: &deviations)
    }

    private static func throughObjects(_ wire: [UInt8]) throws -> Int {
        var request = try Opentelemetry_Proto_Collector_Trace_V1_ExportTraceServiceRequest(serializedBytes: wire)
        var attribute = Opentelemetry_Proto_Common_V1_KeyValue()
        attribute.key = "mlflow.spanType"
        attribute.value.stringValue = "CHAT_MODEL"
        for resource in request.resourceSpans.indices {
            for scope in request.resourceSpans[resource].scopeSpans.indices {
                for span in request.resourceSpans[resource].scopeSpans[scope].spans.indices {
                    request.resourceSpans[resource].scopeSpans[scope].spans[span].attributes.append(attribute)
                }
            }
        }
        return try (request.serializedBytes() as [UInt8]).count
    }
}

/// Runs a piece of work again and again and prints nanoseconds of processor time per item.
struct Rounds {
    let items: Int
    /// Runs in one round.
    let repeats: Int
    private let rounds = 15

    init(items: Int, repeats: Int) {
        self.items = items
        self.repeats = repeats
    }

    func measure(_ name: String, _ work: () throws -> Int) throws {
        guard CommandLine.arguments.count < 2 || CommandLine.arguments.contains(name) else { return }
        var times: [Double] = []
        var check = 0
        for _ in 0..<rounds {
            let start = clock()
            for _ in 0..<repeats { check &+= try work() }
            times.append(Double(clock() - start) * 1000 / Double(items * repeats))
        }
        times.sort()
        let padding = String(repeating: " ", count: max(1, 40 - name.count))
        print("  \(name)\(padding)\(Int(times[rounds / 2])) ns a span (least \(Int(times[0])), check \(check & 1023))")
    }
}
