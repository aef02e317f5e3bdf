import Exporters
import Testing

@Suite struct HTTPEndpointTests {
    @Test(arguments: [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/v1/traces", true),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:5000/v1/traces", true),
        ("HTTPS://host.example/base//", "HTTPS://host.example/base/v1/traces", false),
        ("http://localhost", "http://localhost/v1/traces", true),
        ("http://127.0.0.1.evil.example", "http://127.0.0.1.evil.example/v1/traces", false),
        ("http://127.9.9.9:80", "http://127.9.9.9:80/v1/traces", true),
        ("http://[::1]:4318", "http://[::1]:4318/v1/traces", true),
        ("http://[2001:db8::1]", "http://[2001:db8::1]/v1/traces", false),
        ("unix:/run/millrace.sock", "http://localhost/v1/traces", true),
    ])
    func `an address is read`(text: String, url: String, isLoopback: Bool) throws {
        let endpoint = try #require(HTTPEndpoint(text: text))
        #expect(endpoint.url(path: "/v1/traces") == url)
        #expect(endpoint.isLoopback == isLoopback)
    }

    @Test func `a unix socket keeps its path`() {
        #expect(HTTPEndpoint(text: "unix:/run/millrace.sock")?.unixSocket == "/run/millrace.sock")
    }

    @Test(arguments: [
        "", "host:4318", "http://", "http:///path", "ftp://host", "http://user:secret@host", "http://host?x=1",
        "http://host#x", "http://host name", "http://host:port", "http://host:0", "http://host:99999", "http://[::1",
        "unix:relative", "http://:80", "http://host\n",
    ])
    func `anything else is not an address`(text: String) {
        #expect(HTTPEndpoint(text: text) == nil)
    }
}
