import Basics
import HTTPClient

/// Sends requests with an exporter's headers and credentials, and once more where they were refused and are others now.
///
/// A header that a request has already, such as one that a client of the gateway sent, stays as it is.
struct AuthorizedClient: HTTPClient {
    let client: any HTTPClient
    let credentials: CredentialStore

    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        let first = credentials.authorize(request)
        let answer = try await client.send(first.request)
        guard await credentials.renew(first, refusedWith: answer.status) else { return first.shown(answer) }
        let second = credentials.authorize(request)
        return second.shown(try await client.send(second.request))
    }
}

/// A request with credentials, and which ones.
struct AuthorizedRequest: Sendable {
    fileprivate(set) var request: HTTPRequest
    fileprivate let secrets: CurrentSecrets<Credentials>.Version

    /// The answer as logs and dead letters may have it.
    fileprivate func shown(_ answer: HTTPResponse) -> HTTPResponse {
        answer.isSuccess ? answer : answer.hiding(secrets.holder.hidden)
    }
}

/// The credentials of one exporter, for all of its clients.
final class CredentialStore: Sendable {
    private let secrets: CurrentSecrets<Credentials>

    /// - Parameters:
    ///   - credentials: As the pipeline file has them.
    ///   - files: Reads files.
    init(_ credentials: Credentials, files: SerialThread) {
        secrets = CurrentSecrets(credentials, files: files)
    }

    /// The request with what says who sends it.
    fileprivate func authorize(_ request: HTTPRequest) -> AuthorizedRequest {
        let names = Set(request.headers.map { $0.name.lowercased() })
        var authorized = AuthorizedRequest(request: request, secrets: secrets.current)
        authorized.request.headers += authorized.secrets.holder.fields.filter { !names.contains($0.name.lowercased()) }
        return authorized
    }

    /// Whether a request that got such an answer may go out once more, with other credentials.
    ///
    /// Some servers answer 403 to an unknown key, and many to a known one that may not: only the file tells.
    fileprivate func renew(_ request: AuthorizedRequest, refusedWith status: Int) async -> Bool {
        guard status == 401 || status == 403 else { return false }
        return await secrets.renew(after: request.secrets)
    }
}

extension RequestSettings {
    /// Makes the clients of one exporter, which share its credentials.
    func clients(
        in context: ExporterContext,
        authorization: Credentials.Authorization = .none
    ) -> (ConnectionSettings) -> any HTTPClient {
        let loop = context.loop
        let credentials = Credentials(headers: headers, authorization: authorization)
        let store = CredentialStore(credentials, files: context.files)
        return { AuthorizedClient(client: CurlClient(loop: loop, connection: $0), credentials: store) }
    }
}
