import Basics
import Foundation
import OTLP
import TestKit
import Testing

/// `pipelines/docs/frameworks.md`: which framework shows what in MLflow's list, as the captures of its traces say.
///
/// `MILLRACE_RECORD=1` writes it anew; how content is switched on is written by hand in `Tests/Data/frameworks.json`.
@Suite struct FrameworkDocTests {
    @Test func `the document of frameworks says what the captures show`() throws {
        let document = try FrameworkDocument().text
        let file = Fixtures.directory.appending(path: "../../pipelines/docs/frameworks.md")
        if ProcessInfo.processInfo.environment["MILLRACE_RECORD"] != nil {
            try document.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == document, "stale: run the test with MILLRACE_RECORD=1")
    }
}

/// What is known of a framework besides its captures.
private struct FrameworkNote: Codable {
    /// How its content gets into spans.
    let content: String
    /// What cannot be had, and why.
    let gap: String?
}

private struct FrameworkDocument {
    private var notes: [String: FrameworkNote]
    private var pages: [(framework: String, pages: [Page])] = []

    init() throws {
        let file = Fixtures.directory.appending(path: "frameworks.json")
        notes = try JSONDecoder().decode([String: FrameworkNote].self, from: Data(contentsOf: file))
        for page in try Page.all() {
            if pages.last?.framework != page.framework { pages.append((page.framework, [])) }
            pages[pages.count - 1].pages.append(page)
        }
    }

    var text: String {
        get throws {
            let rows = try pages.map { try row($0.framework, $0.pages) }
            return ([Self.head] + rows + ["", Self.foot, ""]).joined(separator: "\n")
        }
    }

    private func row(_ framework: String, _ pages: [Page]) throws -> String {
        let note = try #require(notes[framework], "Tests/Data/frameworks.json has nothing of \(framework)")
        let (scope, language) = try Self.origin(of: pages)
        let missing = Set(pages.flatMap { [$0.question.missing, $0.answer.missing] }.compactMap(\.self)).sorted()
        let gap = [note.gap, missing.isEmpty ? nil : "not shown: \(missing.joined(separator: ", "))"].compactMap(\.self)
        let cells = [
            framework, language, scope, Self.count(pages.map(\.question)), Self.count(pages.map(\.answer)),
            note.content,
            gap.joined(separator: "; "),
        ]
        return "| " + cells.joined(separator: " | ") + " |"
    }

    /// Shown of those that can be had.
    private static func count(_ cells: [Page.Cell]) -> String {
        let wanted = cells.filter(\.isWanted)
        return wanted.isEmpty ? "" : "\(wanted.count { $0.shown == true }) of \(wanted.count)"
    }

    /// The instrumentation that most spans are of, with its version, and the language of its SDK.
    private static func origin(of pages: [Page]) throws -> (scope: String, language: String) {
        var (scopes, languages): ([String: Int], Set<String>) = ([:], [])
        for path in Set(pages.flatMap(\.files)) {
            let batch = try SpanBatch(Page.body(path))
            for span in batch.spans {
                let scope = batch.scopes[span.scope]
                let name = [batch.text(scope.name), batch.text(scope.version)].filter { !$0.isEmpty }
                scopes[name.joined(separator: " "), default: 0] += 1
                let attributes = batch.resources[scope.resource].attributes
                guard let index = batch.attribute("telemetry.sdk.language", in: attributes),
                    case .string(let range) = batch.value(of: index)
                else { continue }
                languages.insert(batch.text(range))
            }
        }
        let most = scopes.max { ($0.value, $1.key) < ($1.value, $0.key) }
        return (most?.key ?? "", languages.sorted().joined(separator: ", "))
    }

    private static let head = """
        # Frameworks

        What MLflow's list of traces shows of real programs, captured on the wire and sent through `mlflow_map`: the user's
        question and the final answer as plain text, counted over the traces whose bodies have them. Tests write this page and
        fail when a cell gets worse (`Tests/Data/pages.json` names every trace).

        | framework | language | instrumentation | question | answer | content in spans | gaps |
        |---|---|---|---|---|---|---|
        """

    private static let foot = """
        "On" means that inputs and outputs are recorded unless somebody turns that off: OpenInference by
        `OPENINFERENCE_HIDE_INPUTS` and `OPENINFERENCE_HIDE_OUTPUTS`, OpenLLMetry by `TRACELOOP_TRACE_CONTENT=false`.

        Spring AI writes prompts and completions into the application's log only. A filter puts them into spans:

            @Bean ObservationFilter content() {
                return context -> {
                    if (context instanceof ChatModelObservationContext chat && chat.getResponse() != null) {
                        chat.addHighCardinalityKeyValue(KeyValue.of("gen_ai.prompt", chat.getRequest().getContents()));
                        chat.addHighCardinalityKeyValue(
                            KeyValue.of("gen_ai.completion", chat.getResponse().getResult().getOutput().getText()));
                    }
                    return context;
                };
            }
        """
}
