import ArgumentParser
import Basics
import Configuration
import Logging
import Settings

/// `millrace run`: the gateway itself.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run until SIGTERM or SIGINT.",
        discussion:
            "Without a file, runs the built-in one: OTLP over HTTP and gRPC on 127.0.0.1:4318, over gRPC on 4317 too, to traces.jsonl and the console."
    )

    @Option(help: "The pipeline file.") var config: String?
    @Option(
        help: ArgumentHelp(
            "Give up the undelivered spans of an exporter that is gone from the file; may be repeated.",
            valueName: "exporter"
        )
    )
    var abandon: [String] = []

    @Flag(help: "Take the pipeline file again whenever it changes; a folder's link that is turned elsewhere counts.")
    var watch = false

    // For `millrace exec`, whose command is to be heard.
    @Flag(help: .hidden) var quiet = false
    @Flag(help: .hidden) var untilInputEnds = false

    func run() async throws {
        var file = try PipelineFile.loadOrExit(config, checkingFiles: true) { writeLine($0, to: .standardError) }
        if quiet { file.log.level = max(file.log.level, .notice) }
        // Whoever started it reads where that is.
        file.admin.takesAnyPort = untilInputEnds
        let sockets: GivenSockets
        do {
            sockets = try GivenSockets.take(for: file.receivers.map(\.name))
        } catch {
            writeLine("\(error)", to: .standardError)
            throw PipelineFile.wrongConfiguration
        }
        defer { LogSink.standardError.flush() }
        let log = LogControl(file.log)
        let logger = Logger(label: "millrace") { _ in StandardErrorLog(control: log) }
        for warning in file.warnings { logger.warning("\(warning)") }
        do {
            try await runProcess(
                file,
                from: config,
                watching: watch,
                lifeline: untilInputEnds ? Lifeline() : nil,
                sockets: sockets,
                abandoning: abandon,
                log: log,
                logger: logger
            )
        } catch {
            logger.critical("\(error)")
            throw ExitCode.failure
        }
    }
}
