import ArgumentParser
import Configuration

/// `millrace test`: the tests that stand in a pipeline file.
struct TestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Run the tests of a pipeline file; exit 1 where one fails.",
        discussion: "Nothing is journaled, delivered or listened to."
    )

    @OptionGroup var file: PipelineFileArgument

    func run() throws {
        let pipelineFile = try PipelineFile.loadOrExit(file.path) { writeLine($0, to: .standardError) }
        let tests = pipelineFile.tests
        guard !tests.isEmpty else { return writeLine("no tests in \(file.path)", to: .standardOutput) }
        var failed = 0
        for test in tests {
            let result = try pipelineFile.run(test, besides: file.path)
            writeLine(result.text, to: .standardOutput)
            if !result.failures.isEmpty { failed += 1 }
        }
        writeLine("\(tests.count) \(tests.count == 1 ? "test" : "tests"), \(failed) failed", to: .standardOutput)
        if failed > 0 { throw ExitCode.failure }
    }
}
