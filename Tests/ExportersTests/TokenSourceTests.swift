import Basics
import TestKit
import Testing

@testable import Exporters

@Suite struct TokenSourceTests {
    private static let secret = "s3cret/with+signs"
    private let clock = ManualClock()

    private func settings(_ secret: Secret = Secret(Self.secret), scope: String? = nil) -> OAuth2Settings {
        var settings = OAuth2Settings()
        settings.tokenEndpoint = "https://idp/token"
        settings.clientID = "gate way"
        settings.clientSecret = secret
        settings.scope = scope
        return settings
    }

    private func source(_ client: ScriptedHTTPClient, _ settings: OAuth2Settings? = nil) -> TokenSource {
        TokenSource(settings ?? self.settings(), client: client, files: files, clock: MonotonicClock(clock))
    }

    private static func token(_ text: String) -> ScriptedHTTPClient.Result {
        .reply(200, #"{"access_token": "\#(text)", "token_type": "Bearer", "expires_in": 600}"#)
    }

    @Test func `a token is asked for as the standard has it`() async throws {
        let client = ScriptedHTTPClient(Self.token("a"))
        #expect(try await source(client, settings(scope: "all apis")).token().text == "a")
        let request = try #require(client.requests.first)
        #expect(client.calls == ["POST https://idp/token"])
        let basic = Array("gate%20way:s3cret%2Fwith%2Bsigns".utf8).base64
        #expect(request.header("Authorization") == "Basic \(basic)")
        #expect(request.header("Content-Type") == "application/x-www-form-urlencoded")
        #expect(String(decoding: request.body, as: UTF8.self) == "grant_type=client_credentials&scope=all%20apis")
    }

    @Test func `one request serves all who wait`() async throws {
        let client = ScriptedHTTPClient { _, number in Self.token("token \(number)".replacing(" ", with: "-")) }
        let source = source(client)
        let texts = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<20 { group.addTask { try await source.token().text } }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(texts == ["token-0"])
        #expect(client.requests.count == 1)
        try await clock.sleep(for: .seconds(540))
        #expect(try await source.token().text == "token-1")
        #expect(client.requests.count == 2)
    }

    @Test(arguments: [
        (ScriptedHTTPClient.Result.failure(.unreachable("no route")), "no route", 1),
        (.failure(.timedOut), "no answer in time", 1),
        (.reply(503, "busy", headers: [HTTPHeader("retry-after", "7")]), "status 503: busy", 7),
        (
            .reply(401, #"{"error": "invalid_client", "error_description": "no such\nclient"}"#),
            "status 401: invalid_client: no such client", 30
        ),
        (.reply(400, #"{"error": "invalid_scope"}"#), "status 400: invalid_scope", 30),
        (.reply(400, #"{"error": "you sent s3cret/with+signs"}"#), "status 400: you sent *****************", 30),
        (
            .reply(302, headers: [HTTPHeader("location", "https://evil")]),
            "redirected to https://evil, where the client secret is not sent", 30
        ),
        (.reply(200, "<html>"), #"the answer has no "access_token""#, 30),
        (.reply(200, #"{"access_token": "a\nb"}"#), "the access token has characters that no header can have", 30),
        (.reply(200, #"{"access_token": "a", "token_type": "mac"}"#), "the token is of type mac and not Bearer", 30),
    ])
    func `what goes wrong is said, and the endpoint is left alone for a while`(
        answer: ScriptedHTTPClient.Result,
        reason: String,
        pause: Int
    ) async throws {
        let client = ScriptedHTTPClient(answer)
        let source = source(client)
        for _ in 0..<2 {
            await #expect(
                throws: HTTPFailure.noCredentials("no token from https://idp/token: \(reason)", after: .seconds(pause))
            ) { try await source.token() }
        }
        #expect(client.requests.count == 1)
        try await clock.sleep(for: .seconds(pause))
        await #expect(throws: HTTPFailure.self) { try await source.token() }
        #expect(client.requests.count == 2)
    }

    @Test func `a long description of an error is cut`() async throws {
        let words = String(repeating: "word ", count: 1000)
        let client = ScriptedHTTPClient(.reply(400, #"{"error": "x", "error_description": "\#(words)"}"#))
        let failure = await #expect(throws: HTTPFailure.self) { try await source(client).token() }
        guard case .noCredentials(let reason, _)? = failure else { return #expect(failure == nil) }
        #expect(reason.count < 400)
    }

    @Test(arguments: [
        (#""expires_in": "600""#, 540), (#""expires_in": 600.9"#, 540), (#""expires_in": 1e300"#, 86_340),
        (#""expires_in": "soon""#, 3540), (#""expires_in": null"#, 3540), (#""x": 1"#, 3540),
    ])
    func `an end in any form is understood or taken for unknown`(member: String, refresh: Int) async throws {
        let client = ScriptedHTTPClient(.reply(200, #"{"access_token": "a", \#(member)}"#))
        let source = source(client)
        _ = try await source.token()
        try await clock.sleep(for: .seconds(refresh - 1))
        _ = try await source.token()
        #expect(client.requests.count == 1)
        try await clock.sleep(for: .seconds(1))
        _ = try await source.token()
        #expect(client.requests.count == 2)
    }

    @Test(arguments: [(400, 2), (401, 2), (403, 2), (500, 1)])
    func `a refused secret is read again and sent where it is another one`(status: Int, requests: Int) async throws {
        let file = SecretFile("old-secret")
        let new = "Basic " + Array("gate%20way:new-secret".utf8).base64
        let client = ScriptedHTTPClient { request, _ in
            request.header("Authorization") == new ? Self.token("a") : .reply(status, #"{"error": "invalid_client"}"#)
        }
        let source = source(client, settings(file.secret))
        file.write("new-secret")
        _ = try? await source.token()
        #expect(client.requests.count == requests)
    }

    @Test func `a secret that is still the same is not sent again`() async throws {
        let file = SecretFile("old-secret")
        let client = ScriptedHTTPClient(.reply(401, #"{"error": "invalid_client"}"#))
        await #expect(throws: HTTPFailure.self) { try await source(client, settings(file.secret)).token() }
        #expect(client.requests.count == 1)
    }

    @Test func `whoever is cancelled gets no token, and others get theirs`() async throws {
        let client = ScriptedHTTPClient { _, number in number == 0 ? .failure(.cancelled) : Self.token("a") }
        let source = source(client)
        #expect(try await source.token().text == "a")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await self.source(ScriptedHTTPClient(.failure(.cancelled))).token()
        }
        await #expect(throws: HTTPFailure.cancelled) { try await task.value }
    }
}
