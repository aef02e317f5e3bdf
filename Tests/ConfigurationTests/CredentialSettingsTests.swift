import Basics
import Configuration
import Exporters
import Settings
import Synchronization
import Testing

@Suite struct CredentialSettingsTests {
    private static let oauth2 =
        #""oauth2": {"token_endpoint": "https://idp/token", "client_id": "id", "client_secret": "hunter2"}"#

    private static let sigv4 =
        #""sigv4": {"region": "eu-west-1", "service": "xray", "access_key_id": "id", "secret_access_key": "hunter2"}"#

    private func lines(_ settings: String, type: String = "mlflow", endpoint: String = "http://m") -> [String] {
        problems(of: file(["exporters": #"{"out": {"type": "\#(type)", "endpoint": "\#(endpoint)", \#(settings)}}"#]))
    }

    @Test(arguments: [
        (#""token": "t""#, #""oauth2" and "token" exclude each other"#),
        (#""username": "u", "password": "p""#, #""oauth2" and "username" exclude each other"#),
        (#""headers": {"AUTHORIZATION": "x"}"#, #""oauth2" and the header "AUTHORIZATION" exclude each other"#),
    ])
    func `two ways to say who sends exclude each other`(setting: String, message: String) {
        let lines = lines("\(Self.oauth2), \(setting)")
        #expect(lines.count == 1)
        #expect(lines.first?.hasSuffix("/exporters/out: \(message)") == true, "\(lines)")
    }

    @Test func `signatures and what else says who sends exclude each other`() {
        let others = [Self.oauth2, #""token": "t""#, #""headers": {"authorization": "x"}"#]
        for other in others { #expect(lines("\(Self.sigv4), \(other)").joined().contains("exclude each other")) }
    }

    @Test(arguments: [
        ("xray", true), ("sagemaker-mlflow", true), ("", false), ("X-Ray", false), ("a/b", false), ("a b", false),
    ])
    func `a signature is for a service and a region`(service: String, isAllowed: Bool) {
        for type in ["mlflow", "otlp_http"] {
            let lines = lines(Self.sigv4.replacing("xray", with: service), type: type)
            #expect(lines.isEmpty == isAllowed, "\(lines)")
            #expect(isAllowed || lines.joined().contains("/exporters/out/sigv4/service: "))
        }
    }

    @Test(arguments: ["mlflow", "otlp_http"])
    func `tokens are a setting of what sends requests`(type: String) {
        #expect(lines(Self.oauth2, type: type).isEmpty)
        #expect(problems(of: file(["exporters": #"{"out": {"type": "console", \#(Self.oauth2)}}"#])).count == 1)
    }

    @Test(arguments: [
        ("https://idp/token", true), ("https://idp/o/token/?tenant=1", true), ("http://127.0.0.1:8080/token", true),
        ("http://[::1]/token", true), ("http://localhost/token", true), ("HTTPS://idp", true),
        ("http://idp/token", false), ("http://127.0.0.1.evil.example/token", false), ("unix:/run/idp.sock", false),
        ("https://user:hunter2@idp/token", false), ("https://idp/token#x", false), ("https://idp/to ken", false),
        ("ftp://idp", false), ("", false),
    ])
    func `a client secret goes to https or to this machine`(endpoint: String, isAllowed: Bool) {
        let lines = lines(Self.oauth2.replacing("https://idp/token", with: endpoint))
        #expect(lines.isEmpty == isAllowed, "\(lines)")
        #expect(!lines.joined().contains("hunter2"))
        #expect(isAllowed || lines.joined().contains("/exporters/out/oauth2/token_endpoint: "))
    }

    @Test(arguments: ["token_endpoint", "client_id", "client_secret"])
    func `what a token needs has to be there`(name: String) {
        let lines = lines(Self.oauth2.replacing(#""\#(name)": "#, with: #""scope": "#))
        #expect(lines.joined().contains(#"/exporters/out/oauth2: "\#(name)" is missing"#), "\(lines)")
    }

    @Test(arguments: [
        (#"{"ca": "none.pem"}"#, "/tls/ca: warning: none.pem: cannot be read: no such file; nothing is delivered"),
        (#"{"certificate": "text"}"#, "/tls/certificate: warning: text: holds no certificate in PEM"),
        (#"{"certificate": "cert", "key": "locked"}"#, "/tls/key: warning: locked: the key is encrypted"),
        (#"{"certificate": "cert", "key": "cert"}"#, "/tls/key: warning: cert: holds no private key in PEM"),
        (#"{"key": "key"}"#, "/tls: warning: a key without its certificate is not used"),
        (#"{"verify": false}"#, "/tls/verify: warning: whoever answers at the address gets the spans"),
        (#"{"certificate": "cert", "key": "key", "ca": "cert"}"#, nil),
    ])
    func `what a TLS destination cannot use is told before it is needed`(tls: String, warning: String?) {
        let files = [
            "text": "x", "cert": "-----BEGIN CERTIFICATE-----", "key": "-----BEGIN EC PRIVATE KEY-----",
            "locked": "-----BEGIN ENCRYPTED PRIVATE KEY-----",
        ]
        let exporters = #"{"out": {"type": "otlp_http", "endpoint": "https://h", "tls": \#(tls)}}"#
        let lines = problems(of: file(["exporters": exporters]), in: .fixed(files: files), checkingFiles: true)
        #expect(lines.count == (warning == nil ? 0 : 1), "\(lines)")
        #expect(warning.map { lines.first?.contains($0) == true } ?? true, "\(lines)")
        let plain = file(["exporters": exporters.replacing("https://", with: "http://")])
        let more = problems(of: plain, in: .fixed(files: files), checkingFiles: true)
        #expect(more.contains { $0.contains("/tls: warning: has no effect: the endpoint is not https") })
    }

    @Test(arguments: [true, false])
    func `tenants without mlflow_map are warned of`(isMapped: Bool) {
        let lines = problems(
            of: file([
                "receivers":
                    #"{"in": {"type": "otlp_http", "auth": {"bearer": [{"name": "a", "token": "0123456789abcdefghij"}]}}}"#,
                "processors": #"{"map": {"type": "mlflow_map"}}"#,
                "exporters": #"{"out": {"type": "mlflow", "endpoint": "http://m"}}"#,
                "pipelines":
                    #"{"t": {"receivers": ["in"], "processors": [\#(isMapped ? #""map""# : "")], "exporters": ["out"]}}"#,
            ])
        )
        #expect(lines.contains { $0.contains("/pipelines/t: warning: without mlflow_map") } == !isMapped, "\(lines)")
    }

    @Test func `MLflow is sent no zstd`() {
        let setting = #""compression": "zstd""#
        #expect(lines(setting, type: "otlp_http").isEmpty)
        #expect(lines(setting).joined().contains("/exporters/out: MLflow reads no zstd; allowed: "))
    }

    @Test func `what a file gives is read again, and only as long as it is a secret`() throws {
        let content = Mutex("first\n")
        let environment = Environment(variable: { _ in "user" }) { _ in .success(Array(content.withLock { $0 }.utf8)) }
        let exporters = #"{"out": {"type": "mlflow", "endpoint": "http://m", "token": "${env:X}-${file:/run/x}"}}"#
        let text = file(["exporters": exporters])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: environment)
        let settings = try #require(file.exporters[0].settings.destination as? MLflowSettings)
        let token = try #require(settings.token)
        #expect(token.text == "user-first")
        content.withLock { $0 = "second\n" }
        #expect(token.text == "user-first")
        #expect(token.read().text == "user-second")
        content.withLock { $0 = "half\u{1}" }
        #expect(token.read().text == "user-first")
    }
}
