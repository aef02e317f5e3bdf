import Testing

@testable import Receivers

private func policy(
    _ origins: String...,
    headers: [String] = [],
    keptHeaders: [String] = [],
    trustsBrowsers: Bool = false
) -> CORSPolicy {
    var settings = CORSSettings()
    (settings.origins, settings.headers) = (origins, headers)
    return CORSPolicy(settings, keptHeaders: keptHeaders, trustsBrowsers: trustsBrowsers)
}

@Suite struct `Which web pages may send` {
    @Test(arguments: [
        ("https://app.example.com", true), ("https://app.example.com:8443", true), ("http://[::1]:5173", true),
        ("http://localhost:65535", true), ("chrome-extension://abcdef", true), ("https://xn--bcher-kva.example", true),
        ("https://app_1.example.com", true), ("https://App.example.com", false), ("HTTPS://app.example.com", false),
        ("https://app.example.com/", false), ("https://app.example.com/a", false), ("https://a.example:443", false),
        ("http://a.example:80", false), ("http://a.example:443", true), ("https://a.example:0", false),
        ("https://a.example:65536", false), ("https://a.example:080", false), ("https://a.example:", false),
        ("https://*.example.com", false), ("https://a.example:*", false), ("https://", false), ("a.example", false),
        ("https://a..example", false), ("https://[::1", false), ("https://[::1]x", false), ("1s://a.example", false),
        ("https://me@a.example", false), ("https://bücher.example", false), ("https://a.example\r\nx: y", false),
        ("https://\(String(repeating: "a", count: 300))", false), ("null", false), ("*", false), ("", false),
    ])
    func `an origin is scheme, host and port as browsers write them`(text: String, isOrigin: Bool) {
        #expect((WebOrigin(text) != nil) == isOrigin)
    }

    @Test(arguments: [
        ("https://*.example.com", false), ("https://pr-*.app.example.com", false), ("http://*.localhost:*", false),
        ("https://*", false), ("http://localhost:*", false), ("https://*example.com", true),
        ("https://example.*", true), ("https://*.com", true), ("https://*.*", true),
        ("http://*.168.1.1", true), ("http://192.168.1.*", true), ("https://a?b.com", true),
    ])
    func `a wildcard beside a name that anybody can own is told from one below it`(glob: String, isForeign: Bool) {
        #expect(WebOrigin(glob, asPattern: true)?.hasForeignHosts == isForeign)
    }

    @Test(arguments: [
        ("https://App.Example.com:443/start?a#b", "https://app.example.com"),
        ("HTTP://a.example:80", "http://a.example"),
        ("http://a.example:8080/", "http://a.example:8080"),
    ])
    func `an address leads to the origin that was meant`(address: String, origin: String) {
        #expect(WebOrigin.nearest(to: address) == origin)
    }

    @Test(arguments: ["app.example.com", "https://me@a.example", "https://", "null"])
    func `what is no address leads nowhere`(text: String) {
        #expect(WebOrigin.nearest(to: text) == nil)
    }

    @Test(arguments: [
        ("https://app.example.com", true), ("https://a.pages.example.com", true),
        ("https://a.b.pages.example.com", true),
        ("http://localhost:5173", true), ("http://app.example.com", false), ("https://app.example.com:8443", false),
        ("https://app.example.com.evil.example", false), ("https://pages.example.com", false),
        ("https://evil.example/.pages.example.com", false), ("http://localhost:x", false), ("null", false), ("", false),
        ("HTTPS://APP.EXAMPLE.COM", false),
    ])
    func `origins are compared whole, and a wildcard stands within an origin`(origin: String, isAllowed: Bool) {
        let policy = policy("https://app.example.com", "https://*.pages.example.com", "http://localhost:*")
        let allowed = CORSPolicy.Verdict.allowed(AllowedOrigin(origin: origin))
        #expect(policy.verdict(on: [origin]) == (isAllowed ? allowed : .refused(origin)))
    }

    @Test func `every origin is not null, and null is allowed where it is listed`() {
        #expect(policy("*").verdict(on: ["null"]) == .refused("null"))
        #expect(policy("null").verdict(on: ["null"]) == .allowed(AllowedOrigin(origin: "null")))
        let lent = AllowedOrigin(origin: "null", mayUseCredentials: false)
        #expect(policy("null", trustsBrowsers: true).verdict(on: ["null"]) == .allowed(lent))
        #expect(policy("null").verdict(on: ["https://a.example"]) == .refused("https://a.example"))
        #expect(policy("*").verdict(on: ["https://a.example"]) == .allowed(AllowedOrigin(origin: "https://a.example")))
        #expect(policy("*").verdict(on: ["https://a.example\u{7F}"]) == .refused("https://a.example\u{7F}"))
    }

    @Test func `a request without an origin is no page's, and one with two is refused`() {
        #expect(policy("*").verdict(on: []) == .notAPage)
        let both = ["https://a.example", "https://b.example"]
        #expect(policy("*").verdict(on: both) == .refused("https://a.example, https://b.example"))
    }

    @Test(arguments: ["*", "https://*"])
    func `where browsers show who sends by themselves, pages of everybody may not use that`(everybody: String) {
        let policy = policy(everybody, "https://app.example.com", "https://*.example.com", trustsBrowsers: true)
        for (origin, mayUse) in [
            ("https://app.example.com", true), ("https://b.example.com", true), ("https://evil.example", false),
        ] {
            let expected = AllowedOrigin(origin: origin, mayUseCredentials: mayUse)
            #expect(policy.verdict(on: [origin]) == .allowed(expected))
            #expect(expected.lines.contains("access-control-allow-credentials: true") == mayUse)
        }
    }

    @Test func `pages may set the headers of OTLP, those that are kept and those that are listed, once each`() {
        let policy = policy(
            "*",
            headers: ["x-tenant", "authorization"],
            keptHeaders: ["x-shop", "x-mlflow-experiment-id"]
        )
        let names = [
            "content-type", "content-encoding", "authorization", "x-mlflow-experiment-id", "x-shop", "x-tenant",
        ]
        #expect(policy.headers == names)
        #expect(policy.refusedHeaders(["Authorization, x-other,,x-tenant", "x-more"]) == ["x-other", "x-more"])
    }
}
