import Basics

/// A request in the form that AWS signs (Signature Version 4), by which it also checks the signature.
///
/// Signed are the method, the address, the body, `Host`, `Content-Type`, and every header whose name begins with `x-amz-`.
/// A path is encoded once more than it is sent, as all services but S3 have it. Pure; hashes the whole body.
struct SigV4Signature {
    private static let algorithm = "AWS4-HMAC-SHA256"

    private let keys: SigV4Settings
    private var request: HTTPRequest
    /// Such as `20150830T123600Z`.
    private let moment: String

    /// The request with its signature, good for some minutes around `now`; nil where there is no memory for it.
    static func sign(_ request: HTTPRequest, with keys: SigV4Settings, at now: UnixTime) -> HTTPRequest? {
        SigV4Signature(request, keys, now).signed
    }

    private init(_ request: HTTPRequest, _ keys: SigV4Settings, _ now: UnixTime) {
        self.keys = keys
        self.request = request
        moment = now.text.filter { $0 != "-" && $0 != ":" }
        // As it is signed, so that it does not depend on how the client library writes it.
        add("Host", Self.parts(of: request.url).host)
        add("X-Amz-Date", moment)
        if let token = keys.sessionToken { add("X-Amz-Security-Token", token.text) }
    }

    private mutating func add(_ name: String, _ value: String) {
        request.headers.removeAll { $0.name.lowercased() == name.lowercased() }
        request.headers.append(HTTPHeader(name, value))
    }

    private var signed: HTTPRequest? {
        let text = [Self.algorithm, moment, scope.joined(separator: "/"), Self.hash(canonical)].joined(separator: "\n")
        var key = Array("AWS4\(keys.secretAccessKey.text)".utf8)
        for step in scope + [text] {
            guard let next = HMAC.code(Array(step.utf8), key: key) else { return nil }
            key = next
        }
        let credential = "\(keys.accessKeyID.text)/\(scope.joined(separator: "/"))"
        var signed = request
        signed.headers.append(
            HTTPHeader(
                "Authorization",
                "\(Self.algorithm) Credential=\(credential), SignedHeaders=\(signedNames), Signature=\(key.hexadecimal)"
            )
        )
        return signed
    }

    /// What the signature is good for.
    private var scope: [String] { [String(moment.prefix(8)), keys.region, keys.service, "aws4_request"] }

    private var canonical: [UInt8] {
        let (_, path, query) = Self.parts(of: request.url)
        let headers = signedHeaders.map { "\($0.name):\($0.value)\n" }.joined()
        let lines = [
            request.method, Self.encoded(path: path), Self.sorted(query: query), headers, signedNames,
            SHA256.hash(request.body).hexadecimal,
        ]
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// By name, in lower case, with single spaces.
    private var signedHeaders: [(name: String, value: String)] {
        var values: [String: [String]] = [:]
        for header in request.headers {
            let name = header.name.lowercased()
            guard name == "host" || name == "content-type" || name.hasPrefix("x-amz-") else { continue }
            values[name, default: []].append(header.value.split(separator: " ").joined(separator: " "))
        }
        let names = values.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return names.map { ($0, values[$0]?.joined(separator: ",") ?? "") }
    }

    private var signedNames: String { signedHeaders.map(\.name).joined(separator: ";") }

    private static func hash(_ bytes: [UInt8]) -> String { SHA256.hash(bytes).hexadecimal }

    /// The host, with its port unless it is the scheme's own one, the path, and what follows a question mark.
    private static func parts(of url: String) -> (host: String, path: Substring, query: Substring) {
        let isSecure = url.lowercased().hasPrefix("https:")
        let rest = url.drop { $0 != "/" }.dropFirst(2)
        var host = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[host.endIndex...]
        let path = target.prefix { $0 != "?" }
        let port = isSecure ? ":443" : ":80"
        if host.hasSuffix(port) { host = host.dropLast(port.count) }
        return (host.lowercased(), path, target[path.endIndex...].dropFirst())
    }

    private static func encoded(path: Substring) -> String {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        return path.isEmpty ? "/" : segments.map(\.percentEncoded).joined(separator: "/")
    }

    private static func sorted(query: Substring) -> String {
        let parameters = query.split(separator: "&").map { parameter in
            let name = parameter.prefix { $0 != "=" }
            let value = parameter[name.endIndex...].dropFirst()
            return [name.percentDecoded.percentEncoded, value.percentDecoded.percentEncoded]
        }
        let ordered = parameters.sorted { first, second in
            Array(first.joined(separator: "=").utf8).lexicographicallyPrecedes(second.joined(separator: "=").utf8)
        }
        return ordered.map { "\($0[0])=\($0[1])" }.joined(separator: "&")
    }
}
