import Basics
import Foundation
import OTLP
import TestKit
import Testing

@testable import MLflow

/// What MLflow's list shows of every captured conversation, against what its body says: the measure of the mapping.
///
/// `MILLRACE_RECORD=1` writes anew which cells are shown; the texts are written by hand from the bodies.
struct PageTests {
    private static let isRecording = ProcessInfo.processInfo.environment["MILLRACE_RECORD"] != nil

    @Test func `the list shows the questions and answers that it is known to show, and no others`() throws {
        var pages = try Page.all()
        let found = try ShownPage.all(of: Set(pages.flatMap(\.files)).sorted())
        for index in pages.indices {
            let shown = found[pages[index].trace] ?? ShownPage()
            check(&pages[index].question, "question of \(pages[index].trace)", Preview.shown(shown.question))
            check(&pages[index].answer, "answer of \(pages[index].trace)", Preview.shown(shown.answer))
        }
        if Self.isRecording { try Page.record(pages) }
        print(PageTable(pages).text)
    }

    @Test func `every text stands verbatim in a request of its trace`() throws {
        for page in try Page.all() {
            let texts = try page.files.flatMap { try Self.texts(of: page.trace, in: Page.body($0)) }
            for cell in [page.question, page.answer] where cell.joined != true {
                guard let text = cell.text else { continue }
                #expect(texts.contains { $0.contains(text) }, "\(page.trace): \(text)")
            }
        }
    }

    @Test func `every captured trace with the usual answer is listed`() throws {
        let listed = Set(try Page.all().map(\.trace))
        for path in try Self.bodies() {
            let batch = try SpanBatch(Page.body(path))
            for trace in Set(batch.spans.map(\.traceID.description)).subtracting(listed) {
                let texts = Self.texts(of: trace, in: batch)
                #expect(!texts.contains { $0.contains("It is sunny in Paris.") }, "\(path): \(trace)")
            }
        }
    }

    @Test func `every cell has a text or says why there is none`() throws {
        let reasons: Set = [
            "not in the body", "in logs", "in another request", "the call failed", "only a tool call", "own structure",
        ]
        for page in try Page.all() {
            for cell in [page.question, page.answer] {
                #expect((cell.text != nil) == (cell.shown != nil))
                #expect(cell.text != nil || cell.missing != nil)
                if let reason = cell.missing { #expect(reasons.contains(reason)) }
            }
        }
    }

    private func check(_ cell: inout Page.Cell, _ name: String, _ shown: String?) {
        guard let text = cell.text else { return }
        let isShown = shown == text
        if !Self.isRecording {
            let change = isShown ? "is shown now: record it" : "is not shown any more, but \(shown ?? "nothing")"
            #expect(cell.shown == isShown, "the \(name) \(change)")
        }
        cell.shown = isShown
    }

    /// The requests with spans, below `Tests`.
    private static func bodies() throws -> [String] {
        try ["Data/captures", "Data/clients", "MLflowTests/Emitters"].flatMap { folder in
            let path = Fixtures.directory.appending(path: "../\(folder)").path
            return try FileManager.default.contentsOfDirectory(atPath: path).filter { name in
                (name.hasSuffix(".pb") || name.hasSuffix(".json") && !name.hasSuffix(".meta.json"))
                    && ![".logs.", ".metrics.", "native-6"].contains(where: name.contains)
            }
            .map { "\(folder)/\($0)" }
        }
    }

    private static func texts(of trace: String, in body: [UInt8]) throws -> [String] {
        texts(of: trace, in: try SpanBatch(body))
    }

    /// All that the spans of a trace say, what is JSON in a text taken apart.
    private static func texts(of trace: String, in batch: SpanBatch) -> [String] {
        batch.spans.filter { $0.traceID.description == trace }.flatMap { span -> [String] in
            let events = batch.events[span.events]
            let attributes = Array(span.attributes) + events.flatMap { Array($0.attributes) }
            return events.flatMap { leaves(in: batch.text($0.name)) }
                + attributes.flatMap { leaves(in: json(batch.attributes[$0].value, batch)) }
        }
    }

    private static func leaves(in text: String) -> [String] {
        guard let start = text.firstIndex(where: { "{[\"".contains($0) }),
            let node = try? JSONNode(parsing: Array(text[start...].utf8))
        else { return [text] }
        return [text] + leaves(in: node)
    }

    private static func leaves(in node: JSONNode) -> [String] {
        switch node.value {
        case .string(let text): [text] + ("{[\"".contains(text.first ?? " ") ? leaves(in: text) : [])
        case .array(let elements): elements.flatMap(leaves(in:))
        case .object(let members): members.flatMap { leaves(in: $0.node) }
        case .number, .bool, .null: []
        }
    }
}

/// How many cells are shown of those that can be had, by framework.
struct PageTable {
    private struct Row {
        var question = (shown: 0, of: 0)
        var answer = (shown: 0, of: 0)
        var both = (shown: 0, of: 0)

        mutating func add(_ page: Page) {
            if page.question.isWanted { count(page.question.shown == true, &question) }
            if page.answer.isWanted { count(page.answer.shown == true, &answer) }
            guard page.question.isWanted, page.answer.isWanted else { return }
            count(page.question.shown == true && page.answer.shown == true, &both)
        }

        private func count(_ isShown: Bool, _ cell: inout (shown: Int, of: Int)) {
            cell.of += 1
            if isShown { cell.shown += 1 }
        }

        func text(_ name: String) -> String {
            let cells = [question, answer, both].map { "\($0.shown)/\($0.of)" }
            return ([name.padded(to: 40)] + cells.map { $0.padded(to: 9) }).joined(separator: " ")
        }
    }

    /// The table.
    let text: String

    init(_ pages: [Page]) {
        var rows: [(name: String, row: Row)] = []
        var total = Row()
        for page in pages {
            if rows.last?.name != page.framework { rows.append((page.framework, Row())) }
            rows[rows.count - 1].row.add(page)
            total.add(page)
        }
        let names = ["question", "answer", "both"].map { $0.padded(to: 9) }
        let head = (["".padded(to: 40)] + names).joined(separator: " ")
        let percent = 100 * total.both.shown / max(total.both.of, 1)
        text = ([head] + rows.map { $0.row.text($0.name) } + [total.text("all: \(percent) % of traces")])
            .joined(separator: "\n")
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(width - count, 0)) }
}
