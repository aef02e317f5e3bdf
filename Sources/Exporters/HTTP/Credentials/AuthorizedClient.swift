import Basics
import HTTPClient

/// Sends requests with an exporter's headers and credentials, and once more where they were refused and are others now.
///
/// A header that a request has already, such as one that a client of the gateway sent, stays as it is.
struct AuthorizedClient: HTTPClient {
    let client: any HTTPClient
    let credentials: CredentialStore

    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        let first = try await credentials.authorize(request)
        let answer = try await client.send(first.request)
        guard await credentials.renew(first, refusedWith: answer.credentialStatus) else { return first.shown(answer) }
        let second = try await credentials.authorize(request)
        return second.shown(try await client.send(second.request))
    }
}

extension HTTPResponse {
    /// The status, as far as it is about credentials; gRPC says so in its own, beside a 200.
    fileprivate var credentialStatus: Int {
        switch header("grpc-status") {
        case "16": 401
        case "7": 403
        default: status
        }
    }
}

/// A request with credentials, and which ones.
struct AuthorizedRequest: Sendable {
    fileprivate(set) var request: HTTPRequest
    fileprivate let secrets: CurrentSecrets<Credentials>.Version
    /// Nil where the request has no access token.
    fileprivate var token: TokenCache.Token?

    /// The answer as logs and dead letters may have it.
    ///
    /// A success may be read for what it says of experiments, so that what it hides is left to whoever shows its texts.
    fileprivate func shown(_ answer: HTTPResponse) -> HTTPResponse {
        let hidden: @Sendable () -> HiddenTexts = { [secrets, token] in
            HiddenTexts(secrets.holder.hidden + (token.map { [$0.text] } ?? []))
        }
        guard answer.isSuccess else { return answer.hiding(hidden()) }
        var answer = answer
        answer.mask = { hidden().mask($0) }
        return answer
    }
}

/// The credentials of one exporter, for all of its clients.
final class CredentialStore: Sendable {
    private let secrets: CurrentSecrets<Credentials>
    private let tokens: TokenSource?
    private let clock: WallClock

    /// - Parameters:
    ///   - credentials: As the pipeline file has them.
    ///   - tokens: Where access tokens come from; nil without `oauth2`.
    ///   - files: Reads files.
    ///   - clock: Dates signatures.
    init(_ credentials: Credentials, tokens: TokenSource? = nil, files: SerialThread, clock: WallClock = .system) {
        secrets = CurrentSecrets(credentials, files: files)
        self.tokens = tokens
        self.clock = clock
    }

    /// The request with what says who sends it; suspends while an access token is asked for.
    fileprivate func authorize(_ request: HTTPRequest) async throws(HTTPFailure) -> AuthorizedRequest {
        let names = Set(request.headers.map { $0.name.lowercased() })
        var authorized = AuthorizedRequest(request: request, secrets: secrets.current)
        authorized.request.headers += authorized.secrets.holder.fields.filter { !names.contains($0.name.lowercased()) }
        if let signing = authorized.secrets.holder.signing, !names.contains("authorization") {
            guard let signed = SigV4Signature.sign(authorized.request, with: signing, at: clock.now()) else {
                throw .noCredentials("no memory for a signature", after: nil)
            }
            authorized.request = signed
        }
        if let tokens, !names.contains("authorization") {
            let token = try await tokens.token()
            authorized.request.headers.append(HTTPHeader("Authorization", "Bearer \(token.text)"))
            authorized.token = token
        }
        return authorized
    }

    /// Whether a request that got such an answer may go out once more, with other credentials.
    ///
    /// Some servers answer 403 to an unknown key, and many to a known one that may not: only the file tells. An access
    /// token is replaced after a 401 alone (RFC 6750 section 3.1).
    fileprivate func renew(_ request: AuthorizedRequest, refusedWith status: Int) async -> Bool {
        guard status == 401 || status == 403 else { return false }
        if await secrets.renew(after: request.secrets) { return true }
        guard status == 401, let tokens, let token = request.token else { return false }
        return tokens.discard(token)
    }
}

extension RequestSettings {
    /// Makes the clients of one exporter, which share its credentials.
    func clients(
        in context: ExporterContext,
        authorization: Credentials.Authorization = .none
    ) -> (ConnectionSettings) -> any HTTPClient {
        let loop = context.loop
        let tokens = oauth2.map { settings in
            let client = CurlClient(loop: loop, connection: tokenConnection)
            return TokenSource(settings, client: client, files: context.files)
        }
        let credentials = Credentials(
            headers: headers,
            authorization: authorization,
            signing: sigv4,
            proxyUser: connection.proxyUser
        )
        let store = CredentialStore(credentials, tokens: tokens, files: context.files)
        return { AuthorizedClient(client: CurlClient(loop: loop, connection: $0), credentials: store) }
    }

    /// How the token endpoint is reached: always verified, and shown no certificate.
    private var tokenConnection: ConnectionSettings {
        var token = ConnectionSettings()
        token.proxy = connection.proxy
        token.tls.ca = connection.tls.ca
        token.responseMax = TokenAnswer.bytesMax
        return token
    }
}
