import Basics
import Settings

/// What the requests of an exporter carry besides their own header fields, to say who sends them.
struct Credentials: SecretHolder {
    /// The `Authorization` header that is known without asking anybody.
    enum Authorization: Sendable, Equatable {
        case none
        /// HTTP Basic (RFC 7617).
        case basic(username: String, password: Secret)
        /// A bearer token (RFC 6750).
        case bearer(Secret)

        /// The field's value; nil for none.
        var value: String? {
            switch self {
            case .none: nil
            case .basic(let username, let password): "Basic " + Array("\(username):\(password.text)".utf8).base64
            case .bearer(let token): "Bearer \(token.text)"
            }
        }
    }

    /// The exporter's `headers`.
    var headers: [Named<Secret>] = []
    var authorization = Authorization.none
    /// What requests are signed with in place of an `Authorization` that is known before; nil for nothing.
    var signing: SigV4Settings?

    /// All header fields that do not depend on the request.
    var fields: [HTTPHeader] {
        headers.map { HTTPHeader($0.name, $0.value.text) }
            + (authorization.value.map { [HTTPHeader("Authorization", $0)] } ?? [])
    }

    /// What no answer may bring into logs and dead letters: names and numbers that a header may be are no secrets.
    var hidden: [String] {
        let secrets = headers.filter { $0.value.isFromFile }.map(\.value.text)
        // What follows the scheme.
        let tokens = fields.filter { $0.name.lowercased() == "authorization" }
            .compactMap { $0.value.split(separator: " ").last.map(String.init) }
        let known = secrets + tokens + (signing?.hidden ?? [])
        guard case .basic(_, let password) = authorization else { return known }
        return known + [password.text]
    }

    func read() -> Credentials {
        var read = self
        read.headers = headers.map { Named(name: $0.name, value: $0.value.read()) }
        switch authorization {
        case .none: break
        case .basic(let username, let password):
            read.authorization = .basic(username: username, password: password.read())
        case .bearer(let token): read.authorization = .bearer(token.read())
        }
        read.signing = signing?.read()
        return read
    }
}

extension HTTPResponse {
    /// Shorter texts would be found where nobody wrote a secret.
    private static let hiddenBytesMin = 8

    /// The same with a mask in place of these texts: some servers answer with what they were sent.
    func hiding(_ texts: [String]) -> HTTPResponse {
        var body = body
        for text in texts where text.utf8.count >= Self.hiddenBytesMin {
            body = body.replacing(Array(text.utf8), with: Array(Secret.mask.utf8))
        }
        return HTTPResponse(status: status, headers: headers, body: body)
    }
}
