import Basics
import OTLP
import Pipeline
import Settings

/// How one test of a pipeline file ended.
package struct PipelineTestResult: Sendable {
    /// The test's name.
    package let name: String
    /// What was not as expected, in lines; empty where all was.
    package let failures: [String]

    /// `ok NAME`, or `FAILED NAME` and what was not as expected.
    package var text: String {
        let head = (failures.isEmpty ? "ok " : "FAILED ") + name.excerpt()
        return ([head] + failures.map { "  " + $0 }).joined(separator: "\n")
    }
}

extension PipelineFile {
    /// Runs one of the file's tests.
    ///
    /// - Parameters:
    ///   - test: The test.
    ///   - path: The pipeline file's path, where files of requests are looked for.
    /// - Returns: How it ended; a request that cannot be read fails it.
    /// - Throws: What kept the pipeline's processors from being built.
    package func run(_ test: PipelineTest, besides path: String) throws -> PipelineTestResult {
        let name = test.pipeline ?? pipelines.first?.name ?? ""
        let requests: [DryRunRequest]
        let identity: Identity?
        do {
            requests = try test.dryRunRequests(besides: path)
            identity = try test.identity.map { try self.identity(named: $0, sendingTo: name) }
        } catch {
            return PipelineTestResult(name: test.name, failures: ["\(error)"])
        }
        guard let request = try dryRun(of: name)?.run(requests, from: identity) else {
            return PipelineTestResult(name: test.name, failures: ["no pipeline \(quoted(name))"])
        }
        return PipelineTestResult(name: test.name, failures: test.expect.failures(in: request))
    }
}

extension PipelineTest {
    /// What it sends, with the times.
    fileprivate func dryRunRequests(besides path: String) throws -> [DryRunRequest] {
        let one = TestRequest(input: input, inputFile: inputFile)
        var moment = Duration.zero
        return try (requests ?? [one]).map { request in
            moment += request.after
            return DryRunRequest(
                batch: try request.batch(besides: path),
                headers: (headers + request.headers).map { HTTPHeader($0.name, $0.value) },
                moment: moment
            )
        }
    }
}

extension TestRequest {
    fileprivate func batch(besides path: String) throws -> Envelope {
        if let input { return try Envelope(json: Array(JSON(input).lineText.utf8), signal: signal) }
        let file = inputFile ?? ""
        guard !file.hasPrefix("/"), let slash = path.lastIndex(of: "/") else {
            return try DryRunBody(file, signal: signal).batch
        }
        return try DryRunBody(path[...slash] + file, signal: signal).batch
    }
}

extension TestExpectation {
    /// What of a request is not as expected.
    func failures(in request: DryRunResult) -> [String] {
        var lines = spans.flatMap { $0.failures(in: request.spans) }
        if let kept, kept != request.kept { lines.append("kept: expected \(kept), found \(request.kept)") }
        if refused != (request.refusal != nil) {
            let found = request.refusal.map { "403: \($0)" } ?? "false"
            lines.append("refused: expected \(refused), found \(found)")
        }
        return lines
    }
}

extension ExpectedSpan {
    /// Differences that a report names of one attribute, at most.
    private static let differencesMax = 8

    /// What keeps each of these spans from being the one; of several that it could be, about the nearest.
    fileprivate func failures(in spans: [DryRunSpan]) -> [String] {
        let candidates = spans.filter { span in
            (name == nil || span.name == name) && (spanID == nil || "\(span.spanID)" == spanID)
        }
        let found = candidates.map { (span: $0, failures: failures(of: $0)) }
        guard let nearest = found.min(by: { $0.failures.count < $1.failures.count }) else {
            let names = spans.prefix(10).map { quoted($0.name) }.joined(separator: ", ")
            return ["\(title): not found; the request has \(names.isEmpty ? "no spans" : names)"]
        }
        guard !nearest.failures.isEmpty else { return [] }
        let which = found.count > 1 ? " (the nearest of \(found.count): span id \(nearest.span.spanID))" : ""
        return [title + which] + nearest.failures.map { "  " + $0 }
    }

    private func failures(of span: DryRunSpan) -> [String] {
        var lines = attributes.flatMap { differences($0.name, JSON($0.value), span.view[$0.name]) }
        for key in absent {
            guard let value = span.view[key] else { continue }
            lines.append("\(key): expected nothing, found \(value.lineText.excerpt(max: 120))")
        }
        for event in events where !span.view.events.contains(event) {
            let names = span.view.events.map(quoted).joined(separator: ", ")
            lines.append("events: expected \(quoted(event)), found \(names.isEmpty ? "none" : names)")
        }
        // Without a route MLflow's own default takes it.
        let route = span.route.experiment ?? "Default"
        if let experiment, ExactText(experiment) != ExactText(route) {
            lines.append("experiment: expected \(quoted(experiment)), found \(quoted(route))")
        }
        if !isMet(by: span) { lines.append("dropped: expected \(dropped.text), found \(span.end)") }
        return lines
    }

    private func differences(_ key: String, _ expected: JSON, _ found: JSON?) -> [String] {
        guard var found else { return ["\(key): expected \(expected.lineText.excerpt(max: 120)), found nothing"] }
        if expected.isContainer, case .text(let text) = found, let node = try? JSONNode(parsing: Array(text.utf8)) {
            found = JSON(node)
        }
        let all = JSONDifference.all(expected: expected, found: found)
        let more = all.count - Self.differencesMax
        return all.prefix(Self.differencesMax).map { "\(key)\($0)" }
            + (more > 0 ? ["\(key): \(more) more differences"] : [])
    }

    private func isMet(by span: DryRunSpan) -> Bool {
        switch dropped {
        case .kept: span.removal == nil
        case .dropped(nil): span.removal != nil
        case .dropped(let reason?): span.removal?.reason == reason
        }
    }
}

extension ExpectedEnd {
    /// As the pipeline file writes it.
    fileprivate var text: String { Kind.expectedEnd.write(self).lineText }
}

extension DryRunSpan {
    /// How it ended, as the pipeline file would write it.
    fileprivate var end: String {
        guard let removal else { return "false" }
        return "\(quoted(removal.reason.word)) by \(removal.processor)" + (flaw.map { ": \($0)" } ?? "")
    }
}

extension JSON {
    fileprivate var isContainer: Bool {
        switch self {
        case .object, .array: true
        case .text, .number, .bool, .null: false
        }
    }
}
