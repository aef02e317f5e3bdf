import Admin
import Basics
import Configuration
import HTTPClient
import Journal

/// Asks the admin endpoint of a running process, for commands.
struct AdminClient {
    /// For a whole answer, and for one that goes on.
    private static let timeout = Duration.seconds(60)
    private static let streamTimeout = Duration.seconds(24 * 86400)
    private static let connectTimeout = Duration.seconds(5)
    /// Answers over it are refused.
    private static let answerMax = ByteCount.mebibytes(64)

    let place: AdminPlace
    /// Whether the pipeline file says that the endpoint speaks TLS.
    let isSecured: Bool

    /// The body of the answer, unless `receive` takes it as it comes; `authorization` is a value for that header, `limit` the time for
    /// all of it.
    ///
    /// - Throws: `AdminFailure` where nothing listens at the address, or something does and does not answer 200.
    func send(
        _ method: String,
        _ path: String,
        authorization: String? = nil,
        within limit: Duration? = nil,
        receive: (@Sendable ([UInt8]) -> Bool)? = nil
    ) async throws(AdminFailure) -> String {
        guard !isSecured || place.publicKeyPin != nil else {
            let reason = "the process could not write down its certificate in admin.json beside the journal"
            throw AdminFailure(reason: "\(place.address) speaks TLS, and \(reason)")
        }
        var named = authorization.map { [HTTPHeader("Authorization", $0)] } ?? []
        if method == "POST" { named.append(HTTPHeader("Content-Type", "application/json")) }
        let request = HTTPRequest(
            method: method,
            url: url + path,
            headers: [HTTPHeader("Host", "localhost")] + named,
            body: [],
            timeout: limit ?? (receive == nil ? Self.timeout : Self.streamTimeout)
        )
        switch await CurlClient.once(request, over: connection, receive: receive) {
        case .success(let response): return try body(of: response)
        case .failure(let failure): throw AdminFailure(failure, at: place.address)
        }
    }

    private var url: String {
        let scheme = place.publicKeyPin == nil ? "http" : "https"
        switch place.address {
        case .unix: return "\(scheme)://localhost"
        case .tcp: return "\(scheme)://\(place.address.reachable)"
        }
    }

    private var connection: ConnectionSettings {
        var connection = ConnectionSettings()
        connection.proxy = ""
        connection.connectTimeout = Self.connectTimeout
        connection.responseMax = Self.answerMax
        if case .unix(let path) = place.address { connection.unixSocket = path }
        // The pin says more than the certificate, which may have expired and need not name the address.
        connection.tls.publicKeyPin = place.publicKeyPin
        connection.tls.verify = place.publicKeyPin == nil
        return connection
    }

    private func body(of response: HTTPResponse) throws(AdminFailure) -> String {
        let body = String(decoding: response.body, as: UTF8.self)
        switch response.status {
        // A pipeline file that is not taken is an answer, too.
        case 200, 422: return body
        // What was asked for is not there, or was not done whole: the body says so in a line.
        case 404: throw AdminFailure(reason: body)
        case 507: throw AdminFailure(reason: body, isForLater: true)
        default:
            let detail = body.isEmpty ? "" : ": \(body)"
            throw AdminFailure(reason: "\(place.address) answers with status \(response.status)\(detail)")
        }
    }
}

extension PipelineFile {
    /// What a person opens to see the console page of the running process, on a terminal with the token that no pipeline file gives; nil
    /// where it listens on a unix socket.
    func pageAddress(shownOn output: Output) -> String? {
        let noted = AdminPlace.read(in: journal.directory)
        let address = (noted?.address ?? admin.listen).reachable
        guard case .tcp = address else { return nil }
        let isSecured = noted.map { $0.publicKeyPin != nil } ?? (admin.tls != nil)
        // What the pipeline file gives is printed nowhere, and what is kept of results has no token in it.
        let isShown = admin.token == nil && output.isTerminal
        let token = isShown ? AdminToken.read(in: journal.directory) : nil
        return "\(isSecured ? "https" : "http")://\(address)/" + (token.map { "#token=\($0.text)" } ?? "")
    }

    /// Asks the process that has the journal open.
    ///
    /// - Throws: `AdminFailure`, also where none has, and where there is no journal.
    func askRunning(
        _ method: String,
        _ path: String,
        within limit: Duration? = nil,
        receive: (@Sendable ([UInt8]) -> Bool)? = nil
    ) async throws -> String {
        var trouble = "no process has the journal in \(journal.directory) open"
        do {
            if let answer = try await ask(method, path, within: limit, receive: receive) { return answer }
        } catch let error as JournalError {
            trouble = error.message
        }
        let hint = "a process that was started with another \"directory\" cannot be found by this file"
        throw AdminFailure(reason: "\(trouble); \(hint)")
    }

    /// Asks the process that has the journal open, and nobody else; nil where none has.
    ///
    /// The request shows the admin token, of the pipeline file or from beside the journal, where it is certain who is asked: a
    /// living process holds the journal or the note of its address, or has the key that was noted.
    ///
    /// - Throws: `AdminFailure`, or `JournalError` where there is no journal.
    func ask(
        _ method: String,
        _ path: String,
        within limit: Duration? = nil,
        receive: (@Sendable ([UInt8]) -> Bool)? = nil
    ) async throws -> String? {
        let isInMemory = journal.storage == .memory
        if !isInMemory, try !Journal.isInUse(in: journal.directory) { return nil }
        let noted = AdminPlace.read(in: journal.directory)
        let token = admin.token.map { AdminToken(text: $0.text) } ?? AdminToken.read(in: journal.directory)
        let client = AdminClient(
            place: noted ?? AdminPlace(address: admin.listen),
            isSecured: noted == nil && admin.tls != nil
        )
        let isCertain = !isInMemory || client.place.isHeld || client.place.publicKeyPin != nil
        do throws(AdminFailure) {
            let authorization = isCertain ? token?.authorization : nil
            return try await client.send(
                method,
                path,
                authorization: authorization,
                within: limit,
                receive: receive
            )
        } catch {
            guard error.isUnreachable else {
                guard !isCertain, token != nil else { throw error }
                let why = "the admin token was not shown, because nothing tells that it is the process of this file"
                throw AdminFailure(reason: "\(error.reason); \(why)")
            }
            let certificates = "its \"client_ca\" wants a certificate, and commands have none to show"
            let reason = admin.wantsCertificates ? "\(error.reason); \(certificates)" : error.reason
            throw AdminFailure(
                reason: isInMemory
                    ? "\(reason), and a journal in memory ends with its process"
                    : "a process has the journal in \(journal.directory) open, but \(reason)"
            )
        }
    }
}

/// Why the running process gave no answer, for the operator.
struct AdminFailure: Error, CustomStringConvertible {
    let reason: String
    /// Whether there was no answer at all.
    var isUnreachable = false
    /// Whether the same may be done when it is asked for again.
    var isForLater = false
    var description: String { reason }
}

extension AdminFailure {
    fileprivate init(_ failure: HTTPFailure, at address: ListenAddress) {
        switch failure {
        case .unreachable(let reason), .unsendable(let reason):
            self.init(reason: "\(address) does not answer: \(reason)", isUnreachable: true)
        case .noCredentials(let reason, _): self.init(reason: reason)
        case .timedOut: self.init(reason: "\(address) does not answer in time")
        case .responseTooLarge: self.init(reason: "the answer of \(address) is too large")
        case .cancelled: self.init(reason: "the request to \(address) was cancelled")
        }
    }
}
