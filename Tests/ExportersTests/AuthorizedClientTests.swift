import Basics
import Settings
import TestKit
import Testing

@testable import Exporters

@Suite struct AuthorizedClientTests {
    private func request(_ headers: HTTPHeader...) -> HTTPRequest {
        HTTPRequest(method: "POST", url: "http://m", headers: headers, body: [1], timeout: .seconds(1))
    }

    private func tokens(_ endpoint: ScriptedHTTPClient) -> TokenSource {
        var settings = OAuth2Settings()
        settings.tokenEndpoint = "https://idp/token"
        return TokenSource(settings, client: endpoint, files: files, clock: MonotonicClock(ManualClock()))
    }

    private let endpoint = ScriptedHTTPClient { _, number in
        .reply(200, #"{"access_token": "access-token-\#(number)", "expires_in": 600}"#)
    }

    @Test func `headers are added that a request has not yet`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        let credentials = Credentials(
            headers: [Named(name: "X-Tenant", value: Secret("default")), Named(name: "X-Key", value: Secret("k"))],
            authorization: .basic(username: "user", password: Secret("pässword"))
        )
        _ = try await client.authorized(credentials).send(request(HTTPHeader("x-tenant", "team")))
        #expect(
            client.requests[0].headers.map { "\($0.name): \($0.value)" } == [
                "x-tenant: team", "X-Key: k", "Authorization: Basic dXNlcjpww6Rzc3dvcmQ=",
            ]
        )
    }

    @Test(arguments: [("", "Og=="), ("a", "YTo="), ("ab", "YWI6"), ("abc", "YWJjOg==")])
    func `a name and a password are written in base64`(username: String, encoded: String) {
        let authorization = Credentials.Authorization.basic(username: username, password: Secret(""))
        #expect(authorization.value == "Basic \(encoded)")
    }

    @Test(arguments: [(401, 2), (403, 2), (400, 1), (407, 1), (500, 1), (200, 1)])
    func `a refused secret is read again and sent once more where it changed`(status: Int, requests: Int) async throws {
        let client = ScriptedHTTPClient { request, _ in
            .reply(request.header("Authorization") == "Bearer new-token" ? 200 : status)
        }
        let file = SecretFile("old-token")
        let authorized = client.authorized(Credentials(authorization: .bearer(file.secret)))
        file.write("new-token")
        let answer = try await authorized.send(request())
        #expect(client.requests.count == requests)
        #expect(answer.status == (requests == 2 ? 200 : status))
        #expect(client.requests.allSatisfy { $0.body == [1] })
    }

    @Test(arguments: [("16", 2), ("7", 2), ("14", 1)])
    func `gRPC says in its own status that credentials are refused`(code: String, requests: Int) async throws {
        let client = ScriptedHTTPClient { request, _ in
            let status = request.header("Authorization") == "Bearer new-token" ? "0" : code
            return .success(HTTPResponse(status: 200, headers: [HTTPHeader("grpc-status", status)], body: []))
        }
        let file = SecretFile("old-token")
        let authorized = client.authorized(Credentials(authorization: .bearer(file.secret)))
        file.write("new-token")
        _ = try await authorized.send(request())
        #expect(client.requests.count == requests)
    }

    @Test(arguments: ["old-token", nil])
    func `a secret that is the same or cannot be read is not sent again`(content: String?) async throws {
        let client = ScriptedHTTPClient(.reply(401))
        let file = SecretFile("old-token")
        let authorized = client.authorized(Credentials(headers: [Named(name: "X-Key", value: file.secret)]))
        file.write(content)
        #expect(try await authorized.send(request()).status == 401)
        #expect(client.requests.map { $0.header("X-Key") } == ["old-token"])
    }

    @Test func `a new secret is tried once`() async throws {
        let client = ScriptedHTTPClient(.reply(401))
        let file = SecretFile("old-token")
        let authorized = client.authorized(Credentials(authorization: .bearer(file.secret)))
        file.write("new-token")
        #expect(try await authorized.send(request()).status == 401)
        #expect(client.requests.count == 2)
    }

    @Test func `a refused access token is replaced once, by one request for all`() async throws {
        let client = ScriptedHTTPClient { request, _ in
            .reply(request.header("Authorization") == "Bearer access-token-0" ? 401 : 200)
        }
        let authorized = client.authorized(tokens: tokens(endpoint))
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<20 { group.addTask { try await authorized.send(self.request()).status } }
            return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(statuses == [200])
        #expect(endpoint.requests.count == 2)
    }

    @Test func `a destination that refuses every token gets two of them`() async throws {
        let client = ScriptedHTTPClient(.reply(401))
        let authorized = client.authorized(tokens: tokens(endpoint))
        for _ in 0..<5 { #expect(try await authorized.send(request()).status == 401) }
        #expect(endpoint.requests.count == 2)
        #expect(client.requests.count == 6)
    }

    @Test func `a token that may not is no reason for another one`() async throws {
        let client = ScriptedHTTPClient(.reply(403))
        #expect(try await client.authorized(tokens: tokens(endpoint)).send(request()).status == 403)
        #expect(endpoint.requests.count == 1)
    }

    @Test func `a client's own authorization goes in place of a token`() async throws {
        let client = ScriptedHTTPClient(.reply(401))
        _ = try await client.authorized(tokens: tokens(endpoint)).send(request(HTTPHeader("authorization", "mine")))
        #expect(client.requests.map { $0.header("Authorization") } == ["mine"])
        #expect(endpoint.requests.isEmpty)
    }

    @Test func `nothing is sent without a token`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        let authorized = client.authorized(tokens: tokens(ScriptedHTTPClient(.failure(.unreachable("down")))))
        await #expect(throws: HTTPFailure.self) { try await authorized.send(request()) }
        #expect(client.requests.isEmpty)
    }

    @Test func `a rejection that repeats the credentials is kept without them`() async throws {
        let client = ScriptedHTTPClient { request, _ in
            .reply(400, request.headers.map { "\($0.name): \($0.value)" }.joined(separator: ", "))
        }
        let key = SecretFile("key-of-a-file")
        let credentials = Credentials(
            headers: [Named(name: "X-Key", value: key.secret), Named(name: "X-Table", value: Secret("main.spans"))],
            authorization: .basic(username: "user", password: Secret("long password"))
        )
        let basic = try await client.authorized(credentials).send(request())
        #expect(
            String(decoding: basic.body, as: UTF8.self)
                == "X-Key: *************, X-Table: **********, Authorization: ******************************"
        )
        let token = try await client.authorized(tokens: tokens(endpoint)).send(request())
        #expect(String(decoding: token.body, as: UTF8.self) == "Authorization: Bearer **************")
    }
}
