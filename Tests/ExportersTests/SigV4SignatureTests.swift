import Basics
import Settings
import TestKit
import Testing

@testable import Exporters

/// The signatures are those of AWS' published test suite, and of botocore 1.44 for what the suite has not.
@Suite struct SigV4SignatureTests {
    // 2015-08-30T12:36:00Z, with the keys of the test suite.
    private static let moment = UnixTime(nanoseconds: 1_440_938_160_000_000_000)

    private static let keys = {
        var keys = SigV4Settings()
        keys.region = "us-east-1"
        keys.service = "service"
        keys.accessKeyID = Secret("AKIDEXAMPLE")
        keys.secretAccessKey = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
        return keys
    }()

    private static func request(
        _ method: String,
        _ url: String,
        _ headers: [HTTPHeader] = [],
        body: [UInt8] = []
    ) -> HTTPRequest {
        HTTPRequest(method: method, url: url, headers: headers, body: body, timeout: .seconds(1))
    }

    @Test(arguments: [
        (request("GET", "https://example.amazonaws.com/"), "host;x-amz-date", "5fa00fa31553b73e"),
        (request("GET", "https://example.amazonaws.com"), "host;x-amz-date", "5fa00fa31553b73e"),
        (request("POST", "https://example.amazonaws.com/"), "host;x-amz-date", "5da7c1a2acd57cee"),
        (
            request("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1"),
            "host;x-amz-date", "b97d918cfa904a5b"
        ),
        (request("GET", "https://EXAMPLE.amazonaws.com:443/x?a=%C3%A4&a=1&b"), "host;x-amz-date", "dae21c04cf99ffee"),
        (
            request(
                "POST",
                "https://example.amazonaws.com/",
                [HTTPHeader("Content-Type", "application/x-www-form-urlencoded"), HTTPHeader("X-Other", "1")],
                body: Array("Param1=value1".utf8)
            ),
            "content-type;host;x-amz-date", "ff11897932ad3f4e"
        ),
    ])
    func `a request is signed as AWS signs it`(request: HTTPRequest, names: String, signature: String) throws {
        let signed = try #require(SigV4Signature.sign(request, with: Self.keys, at: Self.moment))
        let value = try #require(signed.header("Authorization"))
        let scope = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
        #expect(value.hasPrefix("\(scope), SignedHeaders=\(names), Signature=\(signature)"), "\(value)")
        #expect(signed.header("X-Amz-Date") == "20150830T123600Z")
        #expect((signed.url, signed.body.count) == (request.url, request.body.count))
    }

    @Test func `temporary keys, spaces, ports and paths with escapes are signed`() throws {
        var keys = Self.keys
        keys.sessionToken = Secret("TOKEN/1==")
        let headers = [
            HTTPHeader("Content-Type", "application/x-protobuf"), HTTPHeader("X-Amz-B", " b  c "),
            HTTPHeader("X-Amz-A", "1"), HTTPHeader("x-amz-security-token", "of somebody else"),
        ]
        let request = Self.request("POST", "http://localhost:8080/a%20b/v1/traces", headers, body: [1, 2])
        let signed = try #require(SigV4Signature.sign(request, with: keys, at: Self.moment))
        let value = try #require(signed.header("Authorization"))
        #expect(value.hasSuffix("=62bbfda30b2f395c60428c8625e78bb664a5b0be81df5f8af212a5287091c864"), "\(value)")
        #expect(signed.header("Host") == "localhost:8080")
        #expect(signed.header("X-Amz-Security-Token") == "TOKEN/1==")
    }
}

@Suite struct SignedRequestTests {
    private func credentials(_ secret: Secret) -> Credentials {
        var keys = SigV4Settings()
        keys.region = "r"
        keys.service = "s"
        keys.accessKeyID = Secret("ID")
        keys.secretAccessKey = secret
        return Credentials(headers: [Named(name: "X-Amz-Target", value: Secret("t"))], signing: keys)
    }

    private let request = HTTPRequest(method: "POST", url: "http://m", headers: [], body: [1], timeout: .seconds(1))

    @Test func `a key that a file has changed signs once more`() async throws {
        let client = ScriptedHTTPClient { _, number in .reply(number == 0 ? 403 : 200) }
        let file = SecretFile("old-secret")
        let authorized = client.authorized(credentials(file.secret))
        file.write("new-secret")
        #expect(try await authorized.send(request).status == 200)
        let signatures = client.requests.compactMap { $0.header("Authorization") }
        #expect(Set(signatures).count == 2)
        #expect(signatures.allSatisfy { $0.contains("SignedHeaders=host;x-amz-date;x-amz-target,") }, "\(signatures)")
    }

    @Test func `what a client of the gateway sent to say who it is stays`() async throws {
        let client = ScriptedHTTPClient(.reply(200))
        var request = request
        request.headers = [HTTPHeader("authorization", "Bearer own")]
        _ = try await client.authorized(credentials(Secret("secret"))).send(request)
        #expect(
            client.requests[0].headers.filter { $0.name.lowercased() == "authorization" }.map(\.value) == ["Bearer own"]
        )
    }
}
