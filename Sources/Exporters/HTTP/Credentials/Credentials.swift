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
    /// What says to a proxy who sends: `user:password`; nil for nobody.
    var proxyUser: String?

    /// All header fields that do not depend on the request.
    var fields: [HTTPHeader] {
        headers.map { HTTPHeader($0.name, $0.value.text) }
            + (authorization.value.map { [HTTPHeader("Authorization", $0)] } ?? [])
    }

    /// What no answer may bring into logs and dead letters: whole values, and their words, of which one is the secret.
    var hidden: [String] {
        let values = fields.map(\.value)
        let known = values + values.flatMap { $0.split(separator: " ").map(String.init) } + (signing?.hidden ?? [])
        let proxy = proxyUser.map { [$0, String($0.drop { $0 != ":" }.dropFirst()), Array($0.utf8).base64] } ?? []
        guard case .basic(_, let password) = authorization else { return known + proxy }
        return known + proxy + [password.text]
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
