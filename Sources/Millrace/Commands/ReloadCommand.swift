import Admin
import ArgumentParser
import Basics
import Configuration
import Journal

/// `millrace reload`: has the running process take its pipeline file again.
struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have the running process take its pipeline file as it is now; waits until it has.",
        discussion:
            "Exit 78, with every problem, one a line, where the file cannot be taken: the process then goes on as it was."
    )

    @Option(help: "The pipeline file that the process was started with.") var config: String

    @Option(
        help: ArgumentHelp(
            "Give up the undelivered spans of an exporter that is gone from the file; may be repeated.",
            valueName: "exporter"
        )
    )
    var abandon: [String] = []

    func run() async throws {
        let file = try PipelineFile.loadOrExit(config) { writeLine($0, to: .standardOutput) }
        let answer: JSONNode
        do {
            let request = ReloadRequest(file: config.absolutePath, abandoning: abandon)
            let text = try await file.askRunning("POST", ReloadPath.uri(request))
            answer = try JSONNode(parsing: Array(text.utf8))
        } catch {
            writeLine("\(error)", to: .standardError)
            throw ExitCode.failure
        }
        for warning in answer["warnings"]?.elements ?? [] { writeLine(warning.string ?? "", to: .standardError) }
        for problem in answer["problems"]?.elements ?? [] { writeLine(problem.string ?? "", to: .standardOutput) }
        guard answer["taken"]?.bool == true else { throw PipelineFile.wrongConfiguration }
        writeLine("\(config): taken, hash \(answer["hash"]?.string ?? "")", to: .standardOutput)
    }
}
