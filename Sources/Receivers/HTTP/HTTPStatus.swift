/// The status codes that the receiver answers with.
///
/// The one table from a code to its reason phrase and to the code of a `google.rpc.Status`.
enum HTTPStatus: Int, CaseIterable {
    case ok = 200
    case noContent = 204
    case badRequest = 400
    case unauthorized = 401
    case forbidden = 403
    case notFound = 404
    case methodNotAllowed = 405
    case requestTimeout = 408
    case contentTooLarge = 413
    case unsupportedMediaType = 415
    case expectationFailed = 417
    case tooManyRequests = 429
    case headersTooLarge = 431
    case serviceUnavailable = 503
    case versionNotSupported = 505

    var reason: StaticString {
        switch self {
        case .ok: "OK"
        case .noContent: "No Content"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .requestTimeout: "Request Timeout"
        case .contentTooLarge: "Content Too Large"
        case .unsupportedMediaType: "Unsupported Media Type"
        case .expectationFailed: "Expectation Failed"
        case .tooManyRequests: "Too Many Requests"
        case .headersTooLarge: "Request Header Fields Too Large"
        case .serviceUnavailable: "Service Unavailable"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }

    /// The `code` of the Status, which OTLP/HTTP clients do not read.
    var rpcCode: Int32 {
        switch self {
        case .ok, .noContent: 0
        case .badRequest, .contentTooLarge, .unsupportedMediaType, .expectationFailed, .headersTooLarge: 3
        case .requestTimeout: 4
        case .notFound: 5
        case .forbidden: 7
        case .tooManyRequests: 8
        case .methodNotAllowed, .versionNotSupported: 12
        case .serviceUnavailable: 14
        case .unauthorized: 16
        }
    }
}
