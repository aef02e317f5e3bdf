import OTLP
import Pipeline

/// What a client gets back.
enum Answer: Equatable {
    case success
    /// Success, with the items that were not taken.
    case partial(rejected: Int, message: String)
    case failure(HTTPError)
    /// A web page may send; with the lines of header that say what.
    case preflight(String)
}

/// Why a request is not taken.
struct HTTPError: Error, Equatable {
    var status: HTTPStatus
    /// What is wrong and what is allowed.
    var message: String
    /// Sent as `Retry-After` in whole seconds, from 1 to 3.
    var retryAfter: Duration?
    /// Sent as it stands: the header that says what is allowed.
    var header: StaticString?

    init(_ status: HTTPStatus, _ message: String, retryAfter: Duration? = nil, header: StaticString? = nil) {
        self.status = status
        self.message = message
        self.retryAfter = retryAfter
        self.header = header
    }

    /// Several OTLP exporters give a batch up when they are asked to wait for 10 s or more.
    private static let retrySecondsMax: Int64 = 3

    /// `retryAfter` in whole seconds, from 1 to 3.
    var retrySeconds: Int64? {
        guard let (seconds, attoseconds) = retryAfter?.components else { return nil }
        return seconds >= Self.retrySecondsMax ? Self.retrySecondsMax : max(1, seconds + (attoseconds > 0 ? 1 : 0))
    }

    /// The process ends, and would lose what it takes.
    static let stopping = HTTPError(.serviceUnavailable, "the gateway is stopping", retryAfter: .seconds(1))

    static func == (lhs: HTTPError, rhs: HTTPError) -> Bool {
        lhs.status == rhs.status && lhs.message == rhs.message && lhs.retryAfter == rhs.retryAfter
    }
}

extension Answer {
    /// What the pipelines said (protocol sections "Full Success", "Partial Success" and "Failures").
    init(_ answer: IntakeAnswer) {
        switch answer {
        case .accepted: self = .success
        case .partial(let rejected, let message): self = .partial(rejected: rejected, message: message)
        case .invalid(let message): self = .failure(HTTPError(.badRequest, message))
        case .tooLarge(let message): self = .failure(HTTPError(.contentTooLarge, message))
        case .forbidden(let message): self = .failure(HTTPError(.forbidden, message))
        case .throttled(let message, let pause):
            self = .failure(HTTPError(.tooManyRequests, message, retryAfter: pause))
        case .unavailable(let message, let pause):
            self = .failure(HTTPError(.serviceUnavailable, message, retryAfter: pause))
        }
    }

    var status: HTTPStatus {
        switch self {
        case .success, .partial: .ok
        case .failure(let refusal): refusal.status
        case .preflight: .noContent
        }
    }
}
