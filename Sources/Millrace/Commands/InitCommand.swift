import ArgumentParser
import Basics
import Configuration
import Glibc
import Logging
import Settings

/// `millrace init`: a first pipeline file, whose destinations answer.
struct InitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Write a pipeline file after its destinations have answered.",
        discussion: """
            MLflow and Phoenix are looked for where MLFLOW_TRACKING_URI and PHOENIX_COLLECTOR_ENDPOINT say, else where they listen by \
            default, and offered; --yes takes what is found. For MLflow the file is that of a sidecar: traces and the log records \
            that hold their content, over HTTP and gRPC, put together before they go out. MLFLOW_TRACKING_TOKEN, or _USERNAME and \
            _PASSWORD, are used where they are set. Nothing is written while a destination does not answer, and no file is written \
            over.
            """
    )

    @Option(help: ArgumentHelp("MLflow's address, such as http://127.0.0.1:5000.", valueName: "url")) var mlflow:
        String?
    @Option(help: ArgumentHelp("A destination of `millrace presets`; may be repeated.", valueName: "name"))
    var preset: [String] = []
    @Option(help: "Where to write.") var output = "pipeline.json"
    @Flag(help: "Take the servers that are found, without asking.") var yes = false

    func validate() throws {
        for name in preset where !Preset.all.contains(where: { $0.name == name }) {
            throw ValidationError(Preset.refusal(of: name) + ".")
        }
        // Not printed: it may have a password in it.
        if let mlflow, let reason = LocalServer.refusal(of: mlflow) { throw ValidationError("--mlflow \(reason).") }
    }

    func run() async throws {
        guard access(output, F_OK) != 0 else {
            return try fail("\(output) is there already; --output names another file")
        }
        let missing = Preset.all.filter { preset.contains($0.name) }.flatMap { chosen in
            chosen.missing(in: .process).map { "\(chosen.name) needs \($0.variable): \($0.what)" }
        }
        guard missing.isEmpty else { return try fail(missing.joined(separator: "\n")) }
        let (exporters, passed) = chosenExporters()
        guard !exporters.isEmpty else {
            let hint = "--mlflow URL or --preset NAME names a destination, and `millrace presets` lists those names"
            return try fail("there is nowhere to send to: \((passed + [hint]).joined(separator: "; "))")
        }
        let text = FirstFile(exporters).text
        let file: PipelineFile
        do throws(PipelineFileError) {
            file = try PipelineFile(text: Array(text.utf8), name: output)
        } catch {
            return try fail(error.lines.joined(separator: "\n"))
        }
        let logger = Logger(label: "millrace") { _ in SwiftLogNoOpLogHandler() }
        let answers = await file.probeDestinations(logger: logger)
        for answer in answers {
            let said = answer.trouble.map { "does not take spans: \($0)" } ?? "answers"
            writeLine("\(answer.exporter): \(said)", to: .standardError)
        }
        guard answers.allSatisfy({ $0.trouble == nil }) else { return try fail("\(output) is not written") }
        try write(text)
        writeLine("\(output) is written; next: millrace run --config \(output)", to: .standardOutput)
    }

    private func fail(_ reason: String) throws {
        writeLine(reason, to: .standardError)
        throw ExitCode.failure
    }

    /// What is to be sent to, and what was looked for and passed over; asks a person about what was found.
    private func chosenExporters() -> (chosen: [FirstFile.Exporter], passed: [String]) {
        var (chosen, passed): ([FirstFile.Exporter], [String]) = ([], [])
        if let mlflow { chosen.append(LocalServer.mlflow.exporter(at: mlflow, isGiven: true)) }
        for server in LocalServer.all where !(preset + chosen.map(\.name)).contains(server.exporter) {
            switch server.look() {
            case .found(let address, let text):
                if yes || agrees("\(text). Send there? [Y/n] ") {
                    chosen.append(server.exporter(at: address))
                } else {
                    passed.append("\(server.title) at \(address) is not taken")
                }
            case .missing(let text): passed.append(text)
            }
        }
        var seen: Set<String> = []
        let presets = preset.filter { seen.insert($0).inserted }.map { name -> FirstFile.Exporter in
            (name, ["type": "otlp_http", "preset": .text(name)])
        }
        return (chosen + presets, passed)
    }

    private func agrees(_ question: String) -> Bool {
        guard isatty(STDIN_FILENO) == 1, Output.standardError.isTerminal else {
            writeLine(question + "no terminal to ask on; --yes accepts it", to: .standardError)
            return false
        }
        writeWhole(question, to: .standardError)
        guard let answer = readLine() else { return false }
        return ["", "y", "yes"].contains(answer.lowercased())
    }

    private func write(_ text: String) throws {
        let descriptor = open(output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        defer { if descriptor >= 0 { close(descriptor) } }
        let bytes = Array(text.utf8)
        guard descriptor >= 0, unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            return try fail("\(output) cannot be written: \(SystemReason(number: errno))")
        }
    }
}
