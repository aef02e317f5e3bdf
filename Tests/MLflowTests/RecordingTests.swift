import Basics
import Foundation
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What real emitters sent, and what mapping made of it: one golden file for each request.
///
/// `MILLRACE_RECORD=1` writes the files anew; read the difference before committing it.
struct RecordingTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Golden")
    private static let isRecording = ProcessInfo.processInfo.environment["MILLRACE_RECORD"] != nil

    @Test(arguments: Recordings.names)
    func `a recording is mapped as its golden file says`(name: String) throws {
        let bytes = try Recordings.bytes(name)
        let found = try changes(from: readSpans(bytes), to: map(bytes))
        let file = Self.folder.appendingPathComponent("\(name).txt")
        if Self.isRecording { try found.write(to: file, atomically: true, encoding: .utf8) }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(found == expected)
    }

    @Test func `all recordings are there`() {
        #expect(Recordings.names.count >= 60)
        #expect(Recordings.names.contains("langfuse_sdk-0"))
    }

    @Test(arguments: Recordings.names)
    func `mapping twice changes nothing more`(name: String) throws {
        var batch = try SpanBatch(try Recordings.bytes(name))
        var mapper = SpanMapper(rules: try TestRules.all.get())
        _ = mapper.map(&batch)
        guard let once = batch.encoded()?.payload else { return }
        var again = try SpanBatch(once)
        let outcome = mapper.map(&again, explaining: true)
        #expect(outcome.decisions?.filter(isChange) == [])
        #expect(again.encoded()?.payload == once)
    }

    /// Of HTTP clients, web servers and the like no type is known.
    @Test(arguments: Recordings.names)
    func `every span of a GenAI framework has a type`(name: String) throws {
        let bytes = try Recordings.bytes(name)
        let frameworks = [
            "gen_ai.", "openinference.", "traceloop.", "langfuse.observation", "langsmith.", "lmnr.", "lk.",
        ]
        for span in try map(bytes) where span["mlflow.spanType"] == nil {
            let keys = span.keys.filter { key in frameworks.contains { key.hasPrefix($0) } }
            #expect(keys == [], "\(span.name)")
        }
    }

    private func isChange(_ decision: AttributeDecision) -> Bool {
        if case .ignored = decision.action { return false }
        return true
    }

    /// Every span, and what it lost and got; that all say their service is tested elsewhere.
    private func changes(from before: [ReadSpan], to after: [ReadSpan]) -> String {
        var lines: [String] = []
        let kept = Dictionary(uniqueKeysWithValues: after.map { ($0.id, $0) })
        for old in before {
            lines.append("* \(old.name)")
            guard let new = kept[old.id] else {
                lines.append("  dropped")
                continue
            }
            for key in Set(old.keys).subtracting(new.keys).sorted() { lines.append("  - \(key)") }
            for key in new.keys where old[key] != new[key] && key != "service.name" {
                lines.append("  \(key) = \(new[key] ?? "")")
            }
            if new.events.count != old.events.count { lines.append("  event \(new.events.last?.name ?? "")") }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
