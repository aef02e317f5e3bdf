import ArgumentParser
import Basics
import Configuration
import HTTPClient
import Journal

/// `millrace send-demo`: whether the way is open, and where what comes on it can be seen.
struct SendDemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send-demo",
        abstract: "Send one GenAI trace of three spans, and say where to look at it.",
        discussion: """
            Sends as an app does: where no option says otherwise, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS and \
            OTEL_EXPORTER_OTLP_CERTIFICATE count, then the first receiver of the pipeline file. Ends with 1 where the process of that \
            file says that a destination has not got all of it, after ten seconds and what windows wait for.
            """
    )

    @Option(help: "The receiver's base address, such as http://127.0.0.1:4318.") var endpoint: String?
    @Option(help: "The pipeline file of the process; without it, the built-in one.") var config: String?
    @Option(
        name: .customLong("header"),
        help: ArgumentHelp(
            "A header of the request, such as \"authorization:Bearer TOKEN\"; may be repeated.",
            valueName: "name:value"
        ),
        transform: HTTPHeader.init(argument:)
    )
    var headers: [HTTPHeader] = []

    /// For the whole request.
    private static let timeout = Duration.seconds(30)

    func run() async throws {
        let file = try PipelineFile.loadOrExit(config) { writeLine($0, to: .standardError) }
        let addresses = file.appAddresses
        let given = endpoint ?? (config == nil ? variable("ENDPOINT") : nil)
        // Curl's errors about an address are hard to read.
        if let given, ListenAddress(authority: given) == nil {
            let form = "an address such as http://127.0.0.1:4318 or https://otlp.example.com"
            throw ValidationError("\"\(given)\" is no base address; allowed: \(form).")
        }
        let receiver = addresses.first { given == nil || ListenAddress(authority: $0.endpoint) == given?.place }
        guard let base = given ?? receiver?.endpoint else {
            throw ValidationError("\(config ?? "the file") has no receiver that apps can send to; give --endpoint.")
        }
        guard receiver?.protocol != "grpc" else {
            throw ValidationError("\(base) speaks gRPC alone; send-demo needs an otlp_http receiver.")
        }
        let trace = DemoTrace(end: WallClock.system.now())
        let url = base.trimmingSlashes + (receiver?.tracesPath ?? "/v1/traces")
        let before = await look(at: file)
        do throws(AdminFailure) {
            try await send(trace, to: url)
        } catch {
            writeLine(error.reason, to: .standardError)
            throw ExitCode.failure
        }
        writeLine("sent \(DemoTrace.spanCount) spans to \(url): trace \(trace.id)", to: .standardOutput)
        guard await tell(of: trace, sentTo: base, by: file, before) else { throw ExitCode.failure }
    }

    /// How the process of a file stands.
    private func look(at process: PipelineFile) async -> Result<ProcessLook, any Error> {
        do { return .success(try await ProcessLook(asking: process)) } catch { return .failure(error) }
    }

    /// Prints where the trace is; false where the process says that a destination has not got it.
    private func tell(
        of trace: DemoTrace,
        sentTo base: String,
        by file: PipelineFile,
        _ before: Result<ProcessLook, any Error>
    ) async -> Bool {
        do {
            let whereabouts = DemoWhereabouts(
                trace: trace,
                address: base.place,
                before: try before.get(),
                process: file
            )
            if let report = try await whereabouts.report() {
                for line in report.lines { writeLine(line, to: .standardOutput) }
                return report.isDelivered
            }
            let process = "the process that has the journal in \(file.journal.directory) open"
            writeLine("what took it is not \(process); \(Self.fileHint)", to: .standardOutput)
        } catch {
            writeLine(config == nil ? Self.fileHint : "where it goes is not told: \(error)", to: .standardOutput)
        }
        return true
    }

    private static let fileHint = "--config FILE, with the process's file, tells where to look at it"

    /// Returns when it is on disk there.
    private func send(_ trace: DemoTrace, to url: String) async throws(AdminFailure) {
        var connection = ConnectionSettings()
        connection.tls.ca = variable("CERTIFICATE")
        let own = headers.isEmpty ? headersOfEnvironment : headers
        let request = HTTPRequest(
            method: "POST",
            url: url,
            headers: [HTTPHeader("Content-Type", "application/json")] + own,
            body: trace.body,
            timeout: Self.timeout
        )
        let response = try await CurlClient.once(request, over: connection).mapError { failure in
            AdminFailure(reason: Self.reason(failure, url))
        }.get()
        let answer = String(decoding: response.body, as: UTF8.self).excerpt()
        guard response.status == 200 else {
            let hint = [401: "; --header \"authorization:Bearer TOKEN\" shows a member's token", 404: Self.pathHint]
            let detail = answer.isEmpty ? "" : ": \(answer)"
            let what = "\(url) answers with status \(response.status)"
            throw AdminFailure(reason: what + detail + (hint[response.status] ?? ""))
        }
        let rejected = (try? JSONNode(parsing: response.body))?["partialSuccess"]?["rejectedSpans"]
        guard (rejected?.string ?? rejected?.integer.map { "\($0)" } ?? "0") == "0" else {
            throw AdminFailure(reason: "\(url) takes the request and not all of its spans: \(answer)")
        }
    }

    private static let pathHint = "; an endpoint is the base address, without /v1/traces"

    private static func reason(_ failure: HTTPFailure, _ url: String) -> String {
        switch failure {
        case .unreachable(let reason), .unsendable(let reason), .noCredentials(let reason, _):
            "\(url) cannot be reached: \(reason); \(hint(for: reason))"
        case .timedOut: "\(url) does not answer within \(timeout.text)"
        case .responseTooLarge: "\(url) answers with more than OTLP's servers say"
        case .cancelled: "the request to \(url) was cancelled"
        }
    }

    /// What to do about what curl says.
    private static func hint(for reason: String) -> String {
        let authority = "OTEL_EXPORTER_OTLP_CERTIFICATE=FILE names the certificate's authority"
        let known = [
            ("wrong version number", "this port is plain: http:// in the place of https://"),
            ("unable to get local issuer certificate", authority), ("self-signed certificate", authority),
            ("no alternative certificate subject name", "the certificate is for another name than the address has"),
        ]
        return known.first { reason.contains($0.0) }?.1 ?? "`millrace run` starts a process"
    }

    private var headersOfEnvironment: [HTTPHeader] {
        (variable("HEADERS") ?? "").split(separator: ",").compactMap { pair in
            let sides = pair.split(separator: "=", maxSplits: 1).map { $0.percentDecoded.trimmingSpaces }
            return sides.count == 2 ? HTTPHeader(sides[0], sides[1]) : nil
        }
    }

    /// Of the variables that SDKs read, the one for spans first.
    private func variable(_ name: String) -> String? {
        let environment = Environment.process
        // Those for spans alone may be whole addresses.
        let names = name == "ENDPOINT" ? [name] : ["TRACES_\(name)", name]
        return names.lazy.compactMap { environment.variable("OTEL_EXPORTER_OTLP_\($0)") }.first { !$0.isEmpty }
    }
}

extension ListenAddress {
    /// Host and port of a base address such as `http://127.0.0.1:4318`; nil for anything else.
    fileprivate init?(authority text: String) {
        for (scheme, port) in [("http://", 80), ("https://", 443)] where text.lowercased().hasPrefix(scheme) {
            let authority = String(text.dropFirst(scheme.count).prefix { $0 != "/" })
            guard let address = ListenAddress(text: authority) ?? ListenAddress(text: "\(authority):\(port)"),
                case .tcp(let host, let port) = address
            else { return nil }
            self = .tcp(host: host.lowercased() == "localhost" ? "127.0.0.1" : host.lowercased(), port: port)
            return
        }
        return nil
    }
}

extension String {
    fileprivate var place: ListenAddress? { ListenAddress(authority: self) }

    fileprivate var trimmingSlashes: String {
        var text = Substring(self)
        while text.hasSuffix("/") { text.removeLast() }
        return String(text)
    }

    fileprivate var trimmingSpaces: String {
        var text = drop { $0 == " " }
        while text.hasSuffix(" ") { text.removeLast() }
        return String(text)
    }
}
