import Basics
import Configuration
import Exporters
import Settings
import Synchronization
import Testing

@Suite struct CredentialSettingsTests {
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
