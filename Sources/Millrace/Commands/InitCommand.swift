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
            MLflow and Phoenix are looked for where they listen by default, and offered; --yes takes what is found. Nothing is written \
            while a destination does not answer, and no file is written over.
            """
    )

    @Option(help: ArgumentHelp("A destination of `millrace presets`; may be repeated.", valueName: "name"))
    var preset: [String] = []
    @Option(help: "Where to write.") var output = "pipeline.json"
    @Flag(help: "Take the servers that are found, without asking.") var yes = false

    /// Servers that are looked for on this machine.
    private static let local: [(exporter: String, title: String, variable: String, port: Int, settings: JSON)] = [
        (
            "mlflow", "MLflow", "MLFLOW_TRACKING_URI", 5000,
            ["type": "mlflow", "endpoint": "${env:MLFLOW_TRACKING_URI:-http://127.0.0.1:5000}"]
        ),
        ("phoenix", "Phoenix", "PHOENIX_COLLECTOR_ENDPOINT", 6006, ["type": "otlp_http", "preset": "phoenix"]),
    ]

    func validate() throws {
        for name in preset where !Preset.all.contains(where: { $0.name == name }) {
            throw ValidationError(Preset.refusal(of: name) + ".")
        }
    }

    func run() async throws {
        guard access(output, F_OK) != 0 else {
            return try fail("\(output) is there already; --output names another file")
        }
        let missing = Preset.all.filter { preset.contains($0.name) }.flatMap { chosen in
            chosen.missing(in: .process).map { "\(chosen.name) needs \($0.variable): \($0.what)" }
        }
        guard missing.isEmpty else { return try fail(missing.joined(separator: "\n")) }
        let exporters = chosenExporters()
        guard !exporters.isEmpty else {
            let hint = "--preset names a destination, and `millrace presets` lists them"
            return try fail("there is nowhere to send to: \(hint)")
        }
        let text = Self.text(exporters)
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

    /// By their names; asks a person about what was found.
    private func chosenExporters() -> [(name: String, settings: JSON)] {
        var chosen: [(name: String, settings: JSON)] = []
        for server in Self.local where !preset.contains(server.exporter) {
            let named = Environment.process.variable(server.variable) ?? ""
            let isNamed = named.hasPrefix("http://") || named.hasPrefix("https://")
            guard isNamed || ListenAddress.tcp(host: "127.0.0.1", port: server.port).isAnswered else { continue }
            let found =
                isNamed
                ? "\(server.variable) names \(server.title) at \(named)"
                : "\(server.title) seems to listen at http://127.0.0.1:\(server.port)"
            if yes || agrees("\(found). Send there? [Y/n] ") { chosen.append((server.exporter, server.settings)) }
        }
        var seen: Set<String> = []
        return chosen
            + preset.filter { seen.insert($0).inserted }.map { ($0, ["type": "otlp_http", "preset": .text($0)]) }
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

    private static func text(_ exporters: [(name: String, settings: JSON)]) -> String {
        let hasMLflow = exporters.contains { $0.name == "mlflow" }
        // Others read what apps send as it is, and would store the mapped attributes beside it.
        let processors: [(name: String, settings: JSON)] =
            hasMLflow ? [("map", ["type": "mlflow_map"]), ("route", ["type": "mlflow_experiment"])] : []
        let pipeline: JSON = [
            "receivers": ["otlp", "grpc"], "processors": .words(processors.map(\.name)),
            "exporters": .words(exporters.map(\.name)),
        ]
        let file: JSON = [
            "receivers": [
                "otlp": ["type": "otlp_http", "listen": "127.0.0.1:4318"],
                "grpc": ["type": "otlp_grpc", "listen": "127.0.0.1:4318"],
            ],
            "processors": .object(processors.map { JSON.Member($0.name, $0.settings) }),
            "exporters": .object(exporters.map { JSON.Member($0.name, $0.settings) }),
            "pipelines": ["traces": pipeline],
        ]
        return file.indentedText() + "\n"
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
