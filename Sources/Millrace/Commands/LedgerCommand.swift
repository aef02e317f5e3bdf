import ArgumentParser
import Basics
import Configuration
import Logging
import Settings

/// `millrace ledger`: what became of every accepted span.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Print the ledger as JSON: of the running process or, when none runs, of the journal.",
        discussion: "With --cluster, what is where between edges, streams of NATS, gateways and destinations."
    )

    @Option(help: "The pipeline file; without it, the built-in one.") var config: String?
    @Flag(help: "Of all edges and gateways at the streams of the file's exporters and receivers `jetstream`.")
    var cluster = false
    @Flag(help: "With --cluster, JSON in place of tables.") var json = false

    func run() async throws {
        let file = try PipelineFile.loadOrExit(config) { writeLine($0, to: .standardError) }
        let logger = Logger(label: "millrace") { _ in StandardErrorLog(settings: file.log) }
        defer { LogSink.standardError.flush() }
        if cluster { return try await printCluster(of: file, logger: logger) }
        do {
            let answer = try await file.ask("GET", "/ledger")
            let ledger = if let answer { answer } else { try await file.storedLedger(logger: logger) }
            writeLine(ledger.escapingControlsInJSON, to: .standardOutput)
        } catch {
            writeLine("\(error)", to: .standardError)
            throw ExitCode.failure
        }
    }

    private func printCluster(of file: PipelineFile, logger: Logger) async throws {
        // What went wrong is part of what is printed.
        var logger = logger
        logger.logLevel = .critical
        guard let ledger = await ClusterLedger(file, logger: logger) else {
            let named = config ?? PipelineFile.defaultName
            throw ValidationError("\(named) has no exporter and no receiver \"jetstream\" to ask by")
        }
        let text = json ? ledger.json.indentedText().escapingControlsInJSON : ledger.text.withoutControls
        writeLine(text, to: .standardOutput)
        if !ledger.isComplete { throw ExitCode.failure }
    }
}
