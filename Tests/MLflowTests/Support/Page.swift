import Basics
import Foundation
import OTLP
import TestKit

/// A captured trace that holds a conversation, and what MLflow's list should show of it: `Tests/Data/pages.json`, a trace a
/// line.
struct Page: Codable {
    /// The question or the answer.
    struct Cell: Codable {
        /// Verbatim from the body; nil where nobody can know it.
        var text: String?
        /// Why the cell cannot be had; nil where it can.
        var missing: String?
        /// Whether the text stands in the body only in pieces.
        var joined: Bool?
        /// Whether the list shows it; nil without a text.
        var shown: Bool?

        /// Whether it counts.
        var isWanted: Bool { missing == nil }
    }

    let framework: String
    let trace: String
    /// Its requests, below `Tests`.
    let files: [String]
    var question: Cell
    var answer: Cell

    private static let file = Fixtures.directory.appending(path: "pages.json")

    /// All of them.
    static func all() throws -> [Page] { try JSONDecoder().decode([Page].self, from: Data(contentsOf: file)) }

    /// Writes the list anew.
    static func record(_ pages: [Page]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let lines = try pages.map { String(decoding: try encoder.encode($0), as: UTF8.self) }
        try ("[\n" + lines.joined(separator: ",\n") + "\n]\n").write(to: file, atomically: true, encoding: .utf8)
    }

    /// A request in wire form.
    static func body(_ path: String) throws -> [UInt8] {
        let bytes = try Fixtures.bytes("../\(path)")
        guard path.hasSuffix(".json") else { return bytes }
        var deviations = DeviationCounts()
        return try OTLPJSON.decode(bytes, signal: .traces, deviations: &deviations)
    }
}

/// What MLflow's list shows of one trace.
struct ShownPage {
    var question: String?
    var answer: String?

    /// The pages of all traces of these requests, by trace id: each side is that of the first root that has it.
    static func all(of paths: [String]) throws -> [String: ShownPage] {
        var pages: [String: ShownPage] = [:]
        for path in paths {
            var roots: [String: ReadSpan] = [:]
            // Of several roots in one request MLflow takes the last.
            for span in try map(Page.body(path)) where span.isRoot { roots[span.trace.description] = span }
            for (trace, root) in roots {
                var page = pages[trace] ?? ShownPage()
                // The second ones, VoltAgent's, MLflow reads itself.
                let inputs = root["mlflow.spanInputs"] ?? root["input"]
                let outputs = root["mlflow.spanOutputs"] ?? root["output"]
                page.question = page.question ?? inputs.map { Preview.text(of: $0, role: "user") }
                page.answer = page.answer ?? outputs.map { Preview.text(of: $0, role: "assistant") }
                pages[trace] = page
            }
        }
        return pages
    }
}
