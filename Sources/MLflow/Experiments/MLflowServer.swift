package import Basics

/// Who the requests to MLflow come from.
package enum MLflowCredentials: Sendable, Hashable {
    case none
    /// HTTP Basic (`mlflow server --app-name basic-auth`).
    case basic(username: String, password: String)
    /// A bearer token, as `MLFLOW_TRACKING_TOKEN`.
    case token(String)

    /// The value of the `Authorization` header; nil for none.
    package var authorization: String? {
        switch self {
        case .none: nil
        case .basic(let username, let password): "Basic " + Array("\(username):\(password)".utf8).base64
        case .token(let token): "Bearer \(token)"
        }
    }
}

/// The address of an MLflow tracking server and what every request to it carries.
package struct MLflowServer: Sendable {
    /// How long one REST call may take.
    package static let defaultTimeout = Duration.seconds(15)

    /// Absolute, without a slash at its end.
    package let baseURL: String
    /// Credentials and workspace.
    package let headers: [HTTPHeader]
    private let timeout: Duration

    /// - Parameters:
    ///   - baseURL: Absolute, without a slash at its end.
    ///   - credentials: For every request.
    ///   - workspace: The `x-mlflow-workspace` of every request; nil for the server's default.
    ///   - timeout: For each REST call.
    package init(
        baseURL: String,
        credentials: MLflowCredentials = .none,
        workspace: String? = nil,
        timeout: Duration = Self.defaultTimeout
    ) {
        self.baseURL = baseURL
        self.timeout = timeout
        var headers: [HTTPHeader] = []
        if let authorization = credentials.authorization { headers.append(HTTPHeader("Authorization", authorization)) }
        if let workspace { headers.append(HTTPHeader("x-mlflow-workspace", workspace)) }
        self.headers = headers
    }

    /// A request without a body.
    package func get(_ path: String, query: (name: String, value: String)? = nil) -> HTTPRequest {
        let suffix = query.map { "?\($0.name)=\($0.value.percentEncoded)" } ?? ""
        return HTTPRequest(method: "GET", url: baseURL + path + suffix, headers: headers, body: [], timeout: timeout)
    }

    /// A request with a JSON object of strings.
    package func send(_ method: String, _ path: String, _ members: KeyValuePairs<String, String>) -> HTTPRequest {
        var json = JSONWriter()
        json.beginObject()
        for (name, value) in members {
            json.key(name)
            json.string(value)
        }
        json.endObject()
        return HTTPRequest(
            method: method,
            url: baseURL + path,
            headers: headers + [HTTPHeader("Content-Type", "application/json")],
            body: json.bytes,
            timeout: timeout
        )
    }
}
