import Basics
import Journal
import OTLP
import Testing

@testable import Pipeline

/// What is the same in neighbours is read and written once, and nothing else is taken for the same.
@Suite struct MetadataReaderTests {
    private func metadata(_ change: (inout RecordMetadata) -> Void) -> RecordMetadata {
        var metadata = RecordMetadata(
            signal: .traces,
            identity: "ada",
            headers: [HTTPHeader("x-tenant", "a")],
            address: SourceAddress(bits: 77)
        )
        metadata.trace = TraceMark(trace: TraceID(high: 1, low: 2), isBound: true, service: "shop")
        change(&metadata)
        return metadata
    }

    @Test func `records in any order read and write as each by itself`() {
        let all = [
            metadata { _ in },
            metadata { $0.trace = TraceMark(trace: TraceID(high: .max, low: 3), isBound: true, service: "shop") },
            // The same length.
            metadata { $0.trace = TraceMark(trace: TraceID(high: 1, low: 2), isBound: true, service: "shap") },
            metadata { $0.trace = TraceMark(trace: TraceID(high: 1, low: 2), isBound: false, service: "shop") },
            metadata { $0.headers = [HTTPHeader("x-tenant", "b")] },
            metadata { $0.route = .experimentName("r") },
            metadata { $0.removed = [.filtered: 3] },
            metadata { $0.experiments = ["team"] },
            metadata { $0.created = 1 },
            metadata { $0.trace = nil },
            metadata {
                $0.trace = TraceMark(trace: TraceID(high: 9, low: 9), service: String(repeating: "s", count: 250))
            },
            metadata { $0.areWholeTraces = true },
        ]
        var (reader, writer) = (MetadataReader(), MetadataWriter())
        for first in all {
            for second in [first, all[0], all[1]] {
                #expect(reader.read(first.encoded()) == first)
                #expect(reader.read(second.encoded()) == second)
                #expect(writer.write(first) == first.encoded())
                #expect(writer.write(second) == second.encoded())
                #expect(RecordMetadata(decoding: writer.write(first)) == first)
            }
        }
        #expect(reader.read([]) == nil)
    }
}
