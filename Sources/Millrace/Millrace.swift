import ArgumentParser
import Basics

/// The program; exit codes are 0 for done, 1 for failed while running, 64 for wrong usage, 78 for wrong configuration.
@main struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Takes OpenTelemetry traces and delivers them to MLflow, to files and to OTLP backends.",
        version: "\(Product.name) \(Product.version)",
        subcommands: [
            RunCommand.self, ValidateCommand.self, ExplainCommand.self, TestCommand.self, LedgerCommand.self,
            DeadLettersCommand.self, JournalCommand.self, SchemaCommand.self, ReferenceCommand.self,
            VersionCommand.self, KeepCommand.self, BacktestCommand.self,
        ]
    )
}
