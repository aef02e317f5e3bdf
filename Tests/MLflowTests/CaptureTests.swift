import Foundation
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What real emitters sent, and what mapping made of it: one golden file for each capture.
///
/// `MILLRACE_RECORD=1` writes the files anew; read the difference before committing it.
struct CaptureTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Golden")
    private static let isRecording = ProcessInfo.processInfo.environment["MILLRACE_RECORD"] != nil

    @Test(arguments: Fixtures.traceCaptures())
    func `a capture is mapped as its golden file says`(capture: String) throws {
        let bytes = try Fixtures.bytes(capture)
        let found = try changes(from: readSpans(bytes), to: map(bytes))
        let name = URL(fileURLWithPath: capture).deletingPathExtension().lastPathComponent
        let file = Self.folder.appendingPathComponent("\(name).txt")
        if Self.isRecording { try found.write(to: file, atomically: true, encoding: .utf8) }
        let expected = try String(contentsOf: file, encoding: .utf8)
        #expect(found == expected)
    }

    @Test(arguments: Fixtures.traceCaptures())
    func `mapping twice changes nothing more`(capture: String) throws {
        var batch = try SpanBatch(try Fixtures.bytes(capture))
        var mapper = SpanMapper(rules: try TestRules.all.get())
        _ = mapper.map(&batch)
        let once = try #require(batch.encoded()).payload
        var again = try SpanBatch(once)
        let outcome = mapper.map(&again, explaining: true)
        #expect(outcome.decisions?.filter(isChange) == [])
        #expect(again.encoded()?.payload == once)
    }

    private func isChange(_ decision: MappingDecision) -> Bool {
        if case .ignored = decision.action { return false }
        return true
    }

    /// Every root has a name; spans that got nothing else are left out.
    private func changes(from before: [ReadSpan], to after: [ReadSpan]) -> String {
        var lines: [String] = []
        for (old, new) in zip(before, after) {
            lines.append("* \(new.name)")
            for key in Set(old.keys).subtracting(new.keys).sorted() { lines.append("  - \(key)") }
            for key in new.keys where old[key] != new[key] { lines.append("  \(key) = \(new[key] ?? "")") }
            if new.events.count != old.events.count { lines.append("  event \(new.events.last?.name ?? "")") }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
