import ArgumentParser
import Basics
import Configuration
import Logging

/// `millrace ledger`: what became of every accepted span.
struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Print the ledger as JSON: of the running process or, when none runs, of the journal."
    )

    @Option(help: "The pipeline file.") var config: String

    func run() async throws {
        let file = try PipelineFile.loadOrExit(config) { writeLine($0, to: .standardError) }
        do {
            let answer = try await file.ask("GET", "/ledger")
            defer { LogSink.standardError.flush() }
            let logger = Logger(label: "millrace") { _ in StandardErrorLog(settings: file.log) }
            let ledger = if let answer { answer } else { try await file.storedLedger(logger: logger) }
            writeLine(ledger.escapingControlsInJSON, to: .standardOutput)
        } catch {
            writeLine("\(error)", to: .standardError)
            throw ExitCode.failure
        }
    }
}
