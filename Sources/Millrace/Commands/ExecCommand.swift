import Admin
import ArgumentParser
import Basics
import Configuration
import Glibc
import Journal
import OTLP

/// `millrace exec`: one command whose telemetry comes here, whatever language it is written in.
struct ExecCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command with the OTEL_… variables set; start a gateway for it when none listens.",
        usage: "millrace exec [--config FILE] [--service NAME] -- COMMAND…",
        discussion: """
            The command has this process's standard input, output and error, gets its signals and gives its exit code, 127 where it \
            is not found. A gateway that was started for it writes to standard error, and ends when it has delivered what came, or \
            after the file's drain_timeout; one that listens already may end before the command, which is said. Variables that say what \
            to send stay as they are where they are set already.
            """
    )

    @Option(help: "The pipeline file; without it, the built-in one.") var config: String?
    @Option(help: "The command's service.name (OTEL_SERVICE_NAME).") var service: String?
    @Flag(help: "Keep apps from recording prompts and answers, as far as variables can.") var noContent = false
    @Argument(parsing: .postTerminator, help: "The command and its arguments, behind --.") var command: [String] = []

    func validate() throws {
        guard command.isEmpty else { return }
        throw ValidationError("there is no command; it stands behind --, as in millrace exec -- python app.py.")
    }

    func run() async throws {
        let file = try PipelineFile.loadOrExit(config, checkingFiles: true) { writeLine($0, to: .standardError) }
        guard let address = file.appAddresses.first else {
            let what = "no receiver listens where apps can send to; allowed: otlp_http or otlp_grpc on a TCP port"
            writeLine("\(config ?? PipelineFile.defaultName): \(what)", to: .standardError)
            throw PipelineFile.wrongConfiguration
        }
        ChildProcess.keepSignals()
        let isAnswered = address.listen.isAnswered
        let gateway = isAnswered ? nil : try CommandGateway(config, listening: address.listen)
        if let number = ChildProcess.keptSignal {
            gateway?.end(afterUse: false)
            throw ExitCode(128 + number)
        }
        if isAnswered { watchGateway(of: file, at: address.listen) }
        setVariables(for: address)
        let before = gateway == nil ? await file.taken() : nil
        let (code, hasRun) = runCommand()
        gateway?.end(afterUse: hasRun)
        if hasRun, let before, let after = await file.taken() { tell(before, after, by: file, at: address) }
        throw ExitCode(code)
    }

    /// Says so where what answers at the address is no gateway of the file, and, once, where that ends before the command does.
    private func watchGateway(of file: PipelineFile, at address: ListenAddress) {
        guard file.isRun else {
            let what = "\(address) is answered, but by no process that runs \(config ?? PipelineFile.defaultName)"
            return writeLine("\(what): what the command sends goes to it all the same", to: .standardError)
        }
        spawnThread(named: "millrace-watch") {
            while file.isRun { usleep(500_000) }
            let what = "the gateway at \(address), which this command did not start, has ended"
            writeLine("\(what): what the command sends is not taken until one listens there again", to: .standardError)
        }
    }

    /// Its exit code, and whether there was anything to run.
    private func runCommand() -> (code: Int32, hasRun: Bool) {
        do throws(SystemReason) {
            let child = try ChildProcess(command)
            child.takeSignals(all: false)
            return (child.awaitEnd(), true)
        } catch {
            writeLine("\(command[0]): \(error)", to: .standardError)
            return (error.number == ENOENT ? 127 : 126, false)
        }
    }

    /// Says what a gateway that serves others, too, has taken meanwhile.
    private func tell(_ before: TakenItems, _ after: TakenItems, by file: PipelineFile, at address: AppAddress) {
        let page = file.pageAddress(shownOn: .standardError).map { "; look at it: \($0)" } ?? ""
        let gateway = "the gateway at \(address.listen)"
        let what =
            switch after.text(since: before) {
            case nil: "\(gateway) has been started again meanwhile: what it took of the command's is not told apart"
            case ""?: ExecBalance.nothingCame
            case let items?: "\(items) taken meanwhile by \(gateway)"
            }
        writeLine("millrace: \(what)\(page)", to: .standardError)
    }

    private func setVariables(for address: AppAddress) {
        for (name, value) in KnownClient.address(address) { setenv(name, value, 1) }
        // They would win.
        for signal in ["TRACES", "METRICS", "LOGS"] {
            for setting in ["ENDPOINT", "PROTOCOL"] { unsetenv("OTEL_EXPORTER_OTLP_\(signal)_\(setting)") }
        }
        for (name, value) in KnownClient.content(for: address, recording: !noContent) { setenv(name, value, 0) }
        if let service { setenv("OTEL_SERVICE_NAME", service, 1) }
        if address.wantsCredentials, Environment.process.variable("OTEL_EXPORTER_OTLP_HEADERS") == nil {
            let line = "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20TOKEN"
            writeLine("\(address.endpoint) takes members only: set \(line) with a member's token", to: .standardError)
        }
        let certificate = "OTEL_EXPORTER_OTLP_CERTIFICATE"
        if address.endpoint.hasPrefix("https:"), Environment.process.variable(certificate) == nil {
            let what = "\(address.endpoint) speaks TLS: unless its certificate is of an authority that the app knows"
            writeLine("\(what), set \(certificate) to that authority's file", to: .standardError)
        }
    }
}

extension PipelineFile {
    /// Whether a living process runs this file, or another one with its journal.
    fileprivate var isRun: Bool { AdminPlace.read(in: journal.directory)?.isHeld ?? false }

    /// What the process of this file has taken so far; nil where none says so in time.
    fileprivate func taken() async -> TakenItems? {
        guard let text = try? await ask("GET", "/api/status", within: .seconds(2)) else { return nil }
        return (try? JSONNode(parsing: Array(text.utf8))).map(TakenItems.init)
    }
}

/// What a process has taken since it started.
private struct TakenItems {
    private let start: String?
    private var counts: [Signal: Int] = [:]

    /// Of what `/api/status` says.
    init(_ status: JSONNode) {
        start = status["process"]?["started_ns"]?.string
        for pipeline in status["pipelines"]?.elements ?? [] {
            guard let signal = Signal.allCases.first(where: { $0.name == pipeline["signal"]?.string }) else { continue }
            let receivers = pipeline["receivers"]?.members ?? []
            counts[signal, default: 0] += receivers.reduce(0) { $0 + Int($1.node["accepted"]?.double ?? 0) }
        }
    }

    /// What came since an earlier look, in words, empty for nothing; nil where another process counts now.
    func text(since earlier: TakenItems) -> String? {
        guard start == earlier.start else { return nil }
        let more = Signal.allCases.map { ($0, (counts[$0] ?? 0) - (earlier.counts[$0] ?? 0)) }.filter { $0.1 > 0 }
        return more.map { "\($0.1) \($0.0.items)" }.joined(separator: " and ")
    }
}

/// A gateway that runs for one command, and as long as this process: it reads the end of it from a socket, however it ends.
private struct CommandGateway {
    private static let startMax = Duration.seconds(20)

    private let process: ChildProcess
    /// Open while the gateway is to run.
    private let lifeline: Int32

    /// Returns when it takes requests.
    ///
    /// - Throws: Its exit code where it does not.
    init(_ config: String?, listening address: ListenAddress) throws {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw SystemReason(number: errno) }
        lifeline = ends[1]
        let own = config.map { ["--config", $0] } ?? []
        let arguments = [Self.program, "run", "--quiet", "--until-input-ends"] + own
        // Standard output is the command's alone.
        process = try ChildProcess(arguments, files: .init(input: ends[0], output: 2), isApart: true)
        close(ends[0])
        let patience = ContinuousClock.now + Self.startMax
        while !hasStarted() {
            if process.hasEnded {
                let code = process.awaitEnd()
                writeLine("no gateway runs beside the command, so the command does not run", to: .standardError)
                throw ExitCode(code == 0 ? 1 : code)
            }
            if let number = ChildProcess.keptSignal {
                end(afterUse: false)
                throw ExitCode(128 + number)
            }
            guard ContinuousClock.now < patience else {
                writeLine("the gateway does not listen at \(address) within \(Self.startMax.text)", to: .standardError)
                end(afterUse: false)
                throw ExitCode.failure
            }
        }
    }

    /// Waits for a moment for what it says when all of it takes requests.
    private func hasStarted() -> Bool {
        var (wait, byte) = (pollfd(fd: lifeline, events: Int16(POLLIN), revents: 0), UInt8(0))
        guard unsafe poll(&wait, 1, 10) == 1 else { return false }
        if unsafe read(lifeline, &byte, 1) == 1 { return byte == Lifeline.ready }
        // It has closed its end, and ends.
        usleep(10_000)
        return false
    }

    /// Lets it deliver what came, say what became of that where there was a command, and end; a signal ends it at once.
    func end(afterUse: Bool) {
        process.takeSignals(all: true)
        if !afterUse { Lifeline.say(Lifeline.unused, to: lifeline) }
        close(lifeline)
        _ = process.awaitEnd()
    }

    /// This one's path.
    private static var program: String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = unsafe readlink("/proc/self/exe", &path, path.count - 1)
        guard count > 0 else { return "millrace" }
        return String(decoding: path.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
