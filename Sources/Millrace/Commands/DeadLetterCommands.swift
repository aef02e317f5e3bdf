import Admin
import ArgumentParser
import Basics
import Configuration
import Journal
import Logging
import Pipeline

/// `millrace dead-letters`: what destinations refuse for good, of the running process or, when none runs, on disk.
struct DeadLettersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "List, show, replay or purge what a destination refuses: spans, log records, data points.",
        subcommands: [List.self, Show.self, Replay.self, Purge.self]
    )

    /// What all of them take.
    struct Target: ParsableArguments {
        @Option(help: "The pipeline file.") var config: String
        @Option(help: "Only those of this exporter.") var exporter: String?
        @Option(help: "Only this one: an id that `list` gives, PIPELINE/EXPORTER/NUMBER.") var id: String?
        @Flag(help: "Print JSON.") var json = false
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "A line for each dead letter, oldest first.")
        @OptionGroup var target: Target
        @Option(help: "Dead letters of one page.") var limit = DeadLetterOffice.Request.limitDefault
        @Option(help: "Only those behind this one, the last of the page before.") var after: String?

        func run() async throws {
            try await ask(.list, target, after: after, limit: limit) { json in
                let letters = json["dead_letters"]?.elements ?? []
                if letters.isEmpty { return "no dead letters" }
                let more = json["next"]?.string.map { ["more: --after \($0)"] } ?? []
                return (letters.map(\.letterLine) + more).joined(separator: "\n")
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One dead letter whole, as JSON: why it was refused, the answer, and its items as OTLP."
        )
        @OptionGroup var target: Target

        func run() async throws {
            try await ask(.show, target, text: nil)
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Send dead letters again, to their own exporter with its present settings."
        )
        @OptionGroup var target: Target

        func run() async throws {
            try await ask(.replay, target) { "\($0.counted) queued for delivery" }
        }
    }

    struct Purge: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Give dead letters up; they count as expired.")
        @OptionGroup var target: Target

        func run() async throws {
            try await ask(.purge, target) { "\($0.counted) given up" }
        }
    }
}

/// Asks the running process or the disk, and prints the answer: as JSON, or as the text that `text` makes of it.
private func ask(
    _ action: DeadLetterOffice.Request.Action,
    _ target: DeadLettersCommand.Target,
    after: String? = nil,
    limit: Int = DeadLetterOffice.Request.limitDefault,
    text: ((JSONNode) -> String)?
) async throws {
    let file = try PipelineFile.loadOrExit(target.config) { writeLine($0, to: .standardError) }
    defer { LogSink.standardError.flush() }
    let logger = Logger(label: "millrace") { _ in StandardErrorLog(settings: file.log) }
    let request = DeadLetterOffice.Request(
        action,
        exporter: target.exporter,
        id: target.id,
        after: after,
        limit: limit
    )
    do {
        let answer = try await answer(to: request, file, logger)
        guard let text, !target.json else {
            return writeLine(answer.escapingControlsInJSON, to: .standardOutput)
        }
        writeLine(text(try JSONNode(parsing: Array(answer.utf8))), to: .standardOutput)
    } catch {
        writeLine("\(error)", to: .standardError)
        throw ExitCode.failure
    }
}

private func answer(
    to request: DeadLetterOffice.Request,
    _ file: PipelineFile,
    _ logger: Logger
) async throws -> String {
    let path = DeadLetterPath(request)
    if let running = try await file.ask(path.method, path.uri) { return running }
    switch try await file.answerFromDisk(request, logger: logger) {
    case .done(let json): return String(decoding: json, as: UTF8.self)
    case .unknown(let reason), .incomplete(let reason): throw AdminFailure(reason: reason)
    }
}

extension JSONNode {
    /// `3 dead letters with 5 spans`.
    fileprivate var counted: String {
        "\(self["letters"]?.integer ?? 0) dead letters with \(items.isEmpty ? "nothing" : items)"
    }

    /// How many of each signal's items it counts.
    private var items: String {
        let counts = DeadLetterOffice.items.compactMap { name, words in
            self[name]?.integer.flatMap { $0 == 0 ? nil : "\($0) \(words)" }
        }
        return counts.joined(separator: ", ")
    }

    /// A dead letter in one line.
    fileprivate var letterLine: String {
        func text(_ name: String) -> String { self[name]?.string?.excerpt() ?? "" }
        func names(_ name: String) -> String {
            (self[name]?.elements ?? []).compactMap { $0.string?.excerpt(max: 80) }.joined(separator: ",")
        }
        let traces = names("trace_ids")
        return "\(text("id"))  \(text("last_attempt"))  \(items) of \(names("services"))  "
            + (traces.isEmpty ? "" : "traces \(traces)  ") + text("reason")
    }
}
