import NIOHTTP1

/// What every answer of the admin endpoint tells browsers: they run the page's own scripts alone, load nothing from elsewhere, show it in
/// no other page, take no file for another kind, tell no place where they came from, and keep no data.
enum AdminHeaders {
    private static let policy = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
    ].joined(separator: "; ")

    private static let everywhere: HTTPHeaders = [
        "content-security-policy": policy, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    ]

    /// Those of an answer; what is data is kept nowhere, and files are asked for again each time.
    static func headers(ofData isData: Bool) -> HTTPHeaders {
        var headers = everywhere
        headers.add(name: "cache-control", value: isData ? "no-store" : "no-cache")
        return headers
    }
}

extension HTTPRequestHead {
    /// Whether it says that its body is JSON, which no form of a web page can.
    var saysJSON: Bool {
        let type = headers.first(name: "content-type")?.split(separator: ";").first ?? ""
        return type.lowercased().split(separator: " ") == ["application/json"]
    }
}
