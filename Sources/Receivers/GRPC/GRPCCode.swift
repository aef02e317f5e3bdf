/// The status codes of gRPC that the receiver answers with.
enum GRPCCode: Int {
    case ok = 0
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case unavailable = 14
    case unauthenticated = 16

    /// As gRPC's documentation writes it.
    var name: String {
        switch self {
        case .ok: "OK"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .unimplemented: "UNIMPLEMENTED"
        case .unavailable: "UNAVAILABLE"
        case .unauthenticated: "UNAUTHENTICATED"
        }
    }

    /// The one table from what is refused over HTTP (OTLP specification, section "OTLP/gRPC").
    ///
    /// What passes is UNAVAILABLE, lack of room and throttling too: with Go and Rust RESOURCE_EXHAUSTED is a loss unless it comes
    /// with a RetryInfo, and is therefore left to what never passes.
    init(_ status: HTTPStatus) {
        self =
            switch status {
            case .ok, .noContent: .ok
            case .badRequest, .expectationFailed: .invalidArgument
            case .unauthorized: .unauthenticated
            case .forbidden: .permissionDenied
            case .notFound, .methodNotAllowed, .unsupportedMediaType, .versionNotSupported: .unimplemented
            case .requestTimeout: .deadlineExceeded
            case .contentTooLarge, .headersTooLarge: .resourceExhausted
            case .tooManyRequests, .serviceUnavailable: .unavailable
            }
    }
}
