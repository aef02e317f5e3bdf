import ArgumentParser
import Basics
import Configuration
import Pipeline
import Settings

/// `millrace explain`: what each processor does to each span of a body, without journal and network.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Print what each processor does to each span of a body, and why.",
        discussion:
            "Reads an OTLP request of spans (.pb or .json, also gzipped). Nothing is journaled, delivered or listened to."
    )

    @Option(help: "The pipeline file; without it, the built-in one.") var config: String?
    @Option(help: "Only this pipeline; without it, all of the file.") var pipeline: String?
    @Option(
        name: .customLong("header"),
        help: ArgumentHelp(
            "A header of the request, such as x-mlflow-experiment-id:7; may be repeated.",
            valueName: "name:value"
        ),
        transform: HTTPHeader.init(argument:)
    )
    var headers: [HTTPHeader] = []
    @Option(help: "The member that sends the body; its experiments bind.") var identity: String?
    @Flag(help: "Print JSON.") var json = false
    @Argument(help: "The body.") var body: String

    func run() throws {
        let file = try PipelineFile.loadOrExit(config) { writeLine($0, to: .standardError) }
        let names = file.pipelines.map(\.name)
        if let pipeline, !names.contains(pipeline) {
            let named = config ?? PipelineFile.defaultName
            throw ValidationError("\(named) has no pipeline \"\(pipeline)\", only \(names.joined(separator: ", ")).")
        }
        let request: DryRunBody
        do throws(DryRunBodyError) {
            request = try DryRunBody(body)
        } catch {
            writeLine("\(error)", to: .standardError)
            throw ExitCode.failure
        }
        let requests = try names.filter { pipeline == nil || $0 == pipeline }.compactMap { name in
            try file.dryRun(of: name)?.run(request, headers: headers, from: sender(to: name, of: file))
        }
        let text =
            json
            ? DryRunResult.json(requests).escapingControlsInJSON : requests.map(\.text).joined(separator: "\n")
        writeLine(text, to: .standardOutput)
    }

    private func sender(to pipeline: String, of file: PipelineFile) throws -> Identity? {
        do throws(DryRunIdentityError) {
            return try identity.map { name throws(DryRunIdentityError) in
                try file.identity(named: name, sendingTo: pipeline)
            }
        } catch {
            writeLine("\(error)", to: .standardError)
            throw ExitCode.failure
        }
    }
}
