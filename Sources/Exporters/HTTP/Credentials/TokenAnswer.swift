import Basics

/// What a token endpoint answered (RFC 6749 section 5).
enum TokenAnswer: Equatable {
    /// Bytes of an answer, at most.
    static let bytesMax = ByteCount.kibibytes(256)
    /// How long the endpoint is left alone that takes no request now.
    static let shortPause = Duration.seconds(1)
    /// How long it is left alone where somebody has to act: the client is refused, or this is no token endpoint.
    static let longPause = Duration.seconds(30)

    /// `lifetime` is nil where the answer names none.
    case token(String, lifetime: Duration?)
    /// No token, and why, without secrets; not asked again within `pause`.
    case failure(String, pause: Duration)

    /// Reads an answer in which no secret stands.
    init(_ response: HTTPResponse, now: UnixTime) {
        let node = try? JSONNode(parsing: response.body)
        switch response.status {
        case 200..<300: self = Self.token(in: node)
        case 408, 429, 500...:
            let pause = max(Self.shortPause, response.retryAfter(now: now) ?? .zero)
            self = .failure(Self.reason(response, node), pause: pause)
        case 300..<400:
            let target = (response.header("location") ?? "nowhere").excerpt()
            self = .failure("redirected to \(target), where the client secret is not sent", pause: Self.longPause)
        default: self = .failure(Self.reason(response, node), pause: Self.longPause)
        }
    }

    /// What a request without an answer means; nil where it was given up.
    init?(_ failure: HTTPFailure) {
        switch failure {
        case .unreachable(let reason), .noCredentials(let reason, _):
            self = .failure(reason.excerpt(), pause: Self.shortPause)
        case .unsendable(let reason): self = .failure(reason.excerpt(), pause: Self.longPause)
        case .timedOut: self = .failure("no answer in time", pause: Self.shortPause)
        case .responseTooLarge:
            self = .failure("the answer is larger than \(Self.bytesMax)", pause: Self.longPause)
        case .cancelled: return nil
        }
    }

    private static func token(in node: JSONNode?) -> TokenAnswer {
        guard let text = node?["access_token"]?.string, !text.isEmpty else {
            return .failure("the answer has no \"access_token\"", pause: longPause)
        }
        // RFC 6750 section 2.1, and whatever else can stand in a header.
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return .failure("the access token has characters that no header can have", pause: longPause)
        }
        if let type = node?["token_type"]?.string, type.lowercased() != "bearer" {
            return .failure("the token is of type \(type.excerpt(max: 40)) and not Bearer", pause: longPause)
        }
        return .token(text, lifetime: lifetime(node?["expires_in"]))
    }

    /// A number of seconds, which some servers write as a string; nil for anything else.
    private static func lifetime(_ node: JSONNode?) -> Duration? {
        guard let seconds = node?.double ?? node?.string.flatMap(Double.init), seconds.isFinite else { return nil }
        return .seconds(Int64(min(max(seconds, 0), TokenCache.lifetimeMax.wholeSeconds)))
    }

    private static func reason(_ response: HTTPResponse, _ node: JSONNode?) -> String {
        let words = [node?["error"]?.string, node?["error_description"]?.string].compactMap { $0?.excerpt() }
        let said = words.isEmpty ? response.destinationMessage : words.joined(separator: ": ").excerpt()
        return "status \(response.status)" + (said.isEmpty ? "" : ": \(said)")
    }
}

extension Duration {
    fileprivate var wholeSeconds: Double { Double(components.seconds) }
}
