import Configuration
import Testing

/// A secret may stand in a file, a variable or the pipeline file itself, and is never shown.
@Suite struct SecretTests {
    private static let secret = "hunter2"
    private static let environment = Environment.fixed(
        variables: ["SECRET": secret],
        files: ["/run/secret": secret + "\n", "/run/broken": secret + "\u{1}"]
    )

    @Test(arguments: [
        #""token": "hunter2""#, #""token": "${env:SECRET}""#, #""token": "${file:/run/secret}""#,
        #""username": "u", "password": "hunter2""#, #""headers": {"authorization": "Bearer hunter2"}"#,
        #""headers": {"x-key": "${file:/run/secret}"}"#,
        #""oauth2": {"token_endpoint": "https://i", "client_id": "c", "client_secret": "hunter2"}"#,
        #""sigv4": {"region": "r", "service": "s", "access_key_id": "i", "secret_access_key": "hunter2"}"#,
        #""sigv4": {"region": "r", "service": "s", "access_key_id": "hunter2", "secret_access_key": "x"}"#,
        #""proxy": "http://u:hunter2@proxy:3128""#,
    ])
    func `what is printed has no secret`(setting: String) throws {
        let exporters = #"{"out": {"type": "mlflow", "endpoint": "http://m", \#(setting)}}"#
        let text = file(["exporters": exporters])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: Self.environment)
        #expect(!file.printed.contains(Self.secret))
        #expect(file.printed.contains("***"))
    }

    @Test(arguments: [
        #""token": {"x": "hunter2"}"#, #""token": "${file:/run/broken}""#, #""tokn": "hunter2""#,
        #""token": "hunter2", "token": "hunter2""#, #""token": "hunter2", "username": "u", "password": "hunter2""#,
        #""headers": {"a b": "hunter2"}"#, #""headers": {"a": "hunter2\n"}"#, #""headers": "hunter2""#,
        #""proxy": "ftp://u:hunter2@proxy""#, #""compression": "${file:/run/secret}""#,
        #""timeout": "${file:/run/secret}""#, #""headers": ["hunter2"]"#,
    ])
    func `messages have no secret`(setting: String) {
        let exporters = #"{"out": {"type": "mlflow", "endpoint": "http://m", \#(setting)}}"#
        let lines = problems(of: file(["exporters": exporters]), in: Self.environment)
        #expect(!lines.isEmpty)
        #expect(!lines.joined().contains(Self.secret))
    }
}
