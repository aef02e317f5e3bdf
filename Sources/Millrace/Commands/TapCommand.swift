import Admin
import ArgumentParser
import Basics
import Configuration
import Settings
import UnixSignals

/// `millrace tap`: spans as they come, with what the pipeline does to them.
struct TapCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tap",
        abstract: "Show spans as they come to the running process, and say what was left out.",
        discussion: """
            Shows each span as it is behind the processors, until Ctrl-C or so many spans. What comes faster than it can be shown, and \
            requests that are large, are left out and counted on standard error. What redact takes out is not shown.
            """
    )

    @Option(help: "The pipeline file that the process was started with; without it, the built-in one.")
    var config: String?
    @Option(help: "Only spans that go to this exporter.") var exporter: String?
    @Option(
        name: .customLong("where"),
        help: ArgumentHelp(
            "Only spans that satisfy a condition, such as '{\"status\": \"error\"}'.",
            valueName: "condition"
        )
    )
    var condition: String?
    @Option(help: "End after so many spans.") var limit: Int?
    @Flag(help: "Print a JSON object a line for each span.") var json = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit \(limit) shows nothing; allowed: 1 and more.") }
        if let condition {
            do throws(TailProblem) { _ = try TailWish.condition(condition) } catch {
                throw ValidationError("--where \(condition): \(error.message).")
            }
        }
    }

    func run() async throws {
        let file = try PipelineFile.loadOrExit(config) { writeLine($0, to: .standardError) }
        if let exporter, !file.exporters.contains(where: { $0.name == exporter }) {
            let names = file.exporters.map(\.name).joined(separator: ", ")
            let named = config ?? PipelineFile.defaultName
            throw ValidationError("\(named) has no exporter \"\(exporter)\", only \(names).")
        }
        let printer = TapPrinter(limit: limit, printsJSON: json)
        let wish = TailWish(condition: condition, exporter: exporter)
        let following = Task { _ = try await file.askRunning("GET", wish.uri) { printer.take($0) } }
        let signals = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
                printer.end()
                following.cancel()
            }
        }
        defer { signals.cancel() }
        var reason: String?
        do { try await following.value } catch { reason = "\(error)" }
        printer.sum()
        // Who has seen enough ends the connection.
        guard !printer.hasEnded else { return }
        writeLine(reason ?? "the process has ended the stream", to: .standardError)
        throw ExitCode.failure
    }
}
