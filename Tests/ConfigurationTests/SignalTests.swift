import Basics
import Foundation
import Journal
import Logging
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Configuration

/// Pipelines that take several signals.
@Suite final class SignalTests {
    private let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    private func file(_ signals: [Signal]) throws -> PipelineFile {
        let names = signals.map { "\"\($0.name)\"" }.joined(separator: ", ")
        let text = """
            {"receivers": {"in": {"type": "otlp_http"}}, "processors": {"map": {"type": "mlflow_map"}},
             "exporters": {"m": {"type": "mlflow", "endpoint": "http://m"}, "f": {"type": "file", "path": "f"},
                           "o": {"type": "otlp_http", "traces_endpoint": "http://o/t"}, "d": {"type": "discard"}},
             "pipelines": {"p": {"receivers": ["in"], "processors": ["map"], "exporters": ["m", "f", "o", "d"],
                                 "signals": [\(names)]}},
             "journal": {"directory": "\(directory.path)", "min_free": "0B"}}
            """
        return try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
    }

    @Test func `each signal has a log with a reader for each exporter that takes it`() throws {
        let logs = try file([.logs, .traces]).logs
        #expect(logs.filter { $0.id.kind == .pipeline }.map(\.id) == [LogID("p"), LogID("p", part: "logs")])
        #expect(logs.map { $0.readers.map(\.name) }.prefix(2) == [["m", "f", "o", "d"], ["f", "d"]])
        // Those that may refuse have two of their own for each signal that they take.
        #expect(logs.dropFirst(2).map(\.id.exporter) == ["m", "m", "f", "f", "o", "o", "f", "f"])
        #expect(
            logs.dropFirst(2).map(\.id.signal) == [.traces, .traces, .traces, .traces, .traces, .traces, .logs, .logs]
        )
    }

    @Test func `spans stay where they were before there were other signals`() async throws {
        let before = try file([.traces]).openJournal(meters: Meters(), clock: .system, logger: logger)
        await before.close()
        let old = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
        #expect(old.contains("p/m.cursor"))
        let after = try file([.traces, .metrics]).openJournal(meters: Meters(), clock: .system, logger: logger)
        #expect(after.vanishedReaders.isEmpty)
        await after.close()
        let new = try FileManager.default.subpathsOfDirectory(atPath: directory.path)
        #expect(Set(old).isSubset(of: new))
        #expect(new.contains("p/metrics/f.cursor") && !new.contains("p/metrics/m.cursor"))
    }

    @Test func `processors of spans leave other signals alone`() async throws {
        let file = try file([.traces, .logs])
        let journal = try file.openJournal(meters: Meters(), clock: .system, logger: logger)
        let fronts = file.fronts(try file.chains(of: journal, clock: .system), counting: IntakeTallies(Meters())).map(
            \.front
        )
        #expect(fronts.map(\.signal) == [.traces, .logs])
        let store = Store(
            journal: journal,
            deadLetters: file.deadLetterBoxes(of: journal),
            recovered: [:],
            shares: file.routeShares(of: journal, waiting: Meters().counter("waiting"))
        )
        let exporters = ExporterSet(file, logger: logger)
        let deliveries = try file.deliveries(from: store, to: exporters, meters: Meters(), logger: logger)
        #expect(deliveries.count == 6)
        await journal.close()
    }

    @Test func `a pipeline takes at least one signal`() {
        let text = ConfigurationTests.file([
            "pipelines": #"{"traces": {"receivers": ["in"], "exporters": ["out"], "signals": []}}"#
        ])
        #expect(problems(of: text).contains { $0.contains("/pipelines/traces/signals") && $0.contains("no signal") })
    }

    @Test(arguments: [
        (#"["logs"], "exporters": ["ml"]"#, "/pipelines/p/signals", "no exporter of the pipeline takes logs"),
        (#"["logs"], "exporters": ["ml", "file"]"#, "/pipelines/p/exporters/0", "\"ml\" takes traces alone"),
        (
            #"["metrics"], "exporters": ["file"], "processors": ["map"]"#, "/pipelines/p/processors/0",
            "the pipeline takes metrics"
        ),
        (#"["traces", "logs"], "exporters": ["raw"]"#, "/exporters/raw/format", "traces and logs in one file"),
        (#"["traces", "spans"], "exporters": ["file"]"#, "/pipelines/p/signals/1", "metrics"),
    ])
    func `what nobody would deliver is refused`(pipeline: String, place: String, words: String) {
        let problems = problems(of: text(pipeline))
        #expect(problems.contains { $0.contains(place) && $0.contains(words) }, "\(problems)")
    }

    @Test func `validate says what passes a component by`() throws {
        let text = text(#"["logs", "traces"], "exporters": ["ml", "file"], "processors": ["map"]"#)
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        #expect(file.warnings.count { $0.contains("logs do not go there") } == 1)
        #expect(file.warnings.count { $0.contains("logs pass it unchanged") } == 1)
    }

    @Test func `validate says where a window waits for what the journal has no room or time for`() throws {
        func warnings(_ window: String) throws -> [String] {
            let text = """
                {"receivers": {"in": {"type": "otlp_http"}}, "journal": {"max_bytes": "64MiB", "max_age": "1h"},
                 "processors": {"map": {"type": "mlflow_map"}, "whole": {"type": "assemble"\(window)},
                                "route": {"type": "mlflow_experiment"}},
                 "exporters": {"ml": {"type": "mlflow", "endpoint": "http://m"}},
                 "pipelines": {"p": {"receivers": ["in"], "signals": ["traces", "logs"],
                                     "processors": ["map", "whole", "route"], "exporters": ["ml"]}}}
                """
            return try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty).warnings
        }
        for small in ["", #", "max_bytes": "8MiB""#] {
            let found = try warnings(small)
            #expect(!found.contains { $0.contains("/processors/whole") || $0.contains("pass it unchanged") })
            #expect(!found.contains { $0.contains("do not go there") })
        }
        let large = try warnings(#", "max_bytes": "33MiB", "open_wait": "2h""#)
        #expect(large.contains { $0.contains("/processors/whole: warning: a trace goes on at ") })
        #expect(
            large.contains { $0.contains("already, not at 33MiB; allowed: up to half of journal.max_bytes, 64MiB") }
        )
        #expect(large.contains { $0.contains("/processors/whole: warning: it waits 2h") })
    }

    @Test(arguments: [(#""logs""#, "error"), (#""traces", "logs""#, "warning"), (#""traces""#, nil)])
    func `a condition that asks what only spans have is named where it stands`(signals: String, severity: String?) {
        let keep = #"{"any": [{"attribute": "a", "exists": true}, {"not": {"status": "error"}}]}"#
        let text = ConfigurationTests.file([
            "processors": #"{"share": {"type": "sample", "ratio": 0.5, "keep": \#(keep)}}"#,
            "pipelines":
                #"{"p": {"receivers": ["in"], "processors": ["share"], "exporters": ["out"], "signals": [\#(signals)]}}"#,
        ])
        let file = try? PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        let found = (file?.warnings ?? problems(of: text)).filter { $0.contains("it never holds for logs") }
        let place = "/processors/share/keep/any/1/not/status: \(severity == "warning" ? "warning: " : "")"
        #expect(found.allSatisfy { $0.contains(place + #"only spans have "status""#) })
        #expect((found.count, file != nil) == (severity == nil ? 0 : 1, severity != "error"))
    }

    @Test func `a condition about log records is no condition on spans`() {
        let text = ConfigurationTests.file([
            "processors": #"{"loud": {"type": "filter", "drop": {"severity": "debug"}}}"#,
            "pipelines": #"{"p": {"receivers": ["in"], "processors": ["loud"], "exporters": ["out"]}}"#,
        ])
        let place = #"/processors/loud/drop/severity: only log records have "severity": it never holds for traces"#
        #expect(problems(of: text).contains { $0.hasSuffix(place) })
    }

    private func text(_ pipeline: String) -> String {
        """
        {"receivers": {"in": {"type": "otlp_http"}}, "processors": {"map": {"type": "mlflow_map"}},
         "exporters": {"ml": {"type": "mlflow", "endpoint": "http://m"}, "file": {"type": "file", "path": "f"},
                       "raw": {"type": "file", "path": "r", "format": "protobuf"}},
         "pipelines": {"p": {"receivers": ["in"], "signals": \(pipeline)}}}
        """
    }
}
