import ArgumentParser
import Configuration

/// `millrace validate`: every problem of a pipeline file.
struct ValidateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate",
        abstract: "Check a pipeline file and print every error, one a line.",
        discussion: "Variables and files that the pipeline file refers to must be there, as for a run."
    )

    @OptionGroup var file: PipelineFileArgument
    @Flag(help: "Print the file with every default filled in and secrets masked.") var print = false

    func run() throws {
        let pipelineFile = try PipelineFile.loadOrExit(file.path, checkingFiles: true) {
            writeLine($0, to: .standardOutput)
        }
        for warning in pipelineFile.warnings { writeLine(warning, to: .standardError) }
        writeLine(print ? pipelineFile.printed : "\(file.path): valid", to: .standardOutput)
    }
}
