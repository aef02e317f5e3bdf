package import Basics

/// The address of an MLflow tracking server and what every request to it carries.
package struct MLflowServer: Sendable {
    /// How long one REST call may take.
    package static let defaultTimeout = Duration.seconds(15)

    /// Absolute, without a slash at its end.
    package let baseURL: String
    /// The workspace; the client adds the credentials.
    package let headers: [HTTPHeader]
    private let timeout: Duration

    /// - Parameters:
    ///   - baseURL: Absolute, without a slash at its end.
    ///   - workspace: The `x-mlflow-workspace` of every request; nil for the server's default.
    ///   - timeout: For each REST call.
    package init(
        baseURL: String,
        workspace: String? = nil,
        timeout: Duration = Self.defaultTimeout
    ) {
        self.baseURL = baseURL
        self.timeout = timeout
        headers = workspace.map { [HTTPHeader("x-mlflow-workspace", $0)] } ?? []
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
