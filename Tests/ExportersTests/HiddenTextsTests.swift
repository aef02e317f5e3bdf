import Basics
import OTLP
import Settings
import TestKit
import Testing

@testable import Exporters

@Suite struct HiddenTextsTests {
    @Test(arguments: [
        ("seeded/key+1==", "seeded/key+1=="), ("seeded/key+1==", #"seeded\/key\u002b1\u003D="#),
        ("seeded/key+1==", "seeded%2Fkey%2B1%3d%3D"), ("seeded\\\"quote", #"seeded\\\"quote"#),
        ("pässwörter", "pässwörter"), ("pässwörter", #"p\u00e4ssw\u00F6rter"#), ("pässwörter", "p%C3%A4ssw%c3%b6rter"),
        ("eight😀chars", #"eight\ud83d\ude00chars"#), ("unicorns", "unicorns"),
    ])
    func `a secret is masked however it is escaped`(secret: String, written: String) {
        let text = "{\"message\": \"bad key \(written)!\"}"
        let masked = HiddenTexts(["other-secret", secret]).mask(text)
        #expect(masked == "{\"message\": \"bad key \(String(repeating: "*", count: written.utf8.count))!\"}")
    }

    @Test(arguments: ["seeded-ke", "seeded%2", "", "\\", "%", "\\u00", "nothing of it", "seeded-kez"])
    func `what is no secret stays`(text: String) {
        #expect(HiddenTexts(["seeded-key", "short"]).mask(text) == text)
    }

    @Test(arguments: ["Bearer seeded-bearer", "Key seeded-bearer", "seeded-bearer"])
    func `every value of a header is a secret, and so are its words`(value: String) async throws {
        let partial: [UInt8] = [0x0A, 21, 0x08, 1, 0x12, 17] + Array("bad seeded-bearer".utf8)
        for (status, body) in [(503, Array("no seeded-bearer here".utf8)), (200, partial)] {
            let client = ScriptedHTTPClient { _, _ in
                let headers = [
                    HTTPHeader("location", "/seeded-bearer"),
                    HTTPHeader("content-type", status == 200 ? "application/x-protobuf" : "text/plain"),
                ]
                return .success(HTTPResponse(status: status, headers: headers, body: body))
            }
            let credentials = Credentials(headers: [Named(name: "X-Key", value: Secret(value))])
            let request = HTTPRequest(method: "POST", url: "http://m", headers: [], body: [1], timeout: .seconds(1))
            let answer = try await client.authorized(credentials).send(request)
            let outcome = OTLPAnswer.outcome(of: answer, signal: .traces, now: UnixTime(nanoseconds: 0))
            #expect(!"\(outcome)".contains("seeded") && "\(outcome)".contains("*************"), "\(outcome)")
            #expect(status == 200 || !"\(answer.headers)".contains("seeded"))
        }
    }
}
