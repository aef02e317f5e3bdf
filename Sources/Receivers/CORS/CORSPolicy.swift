import Conditions
import Pipeline

/// Which web pages may send, and what answers say to their browsers (Fetch standard, section "CORS protocol").
struct CORSPolicy: Sendable {
    /// What a request's `Origin` means.
    enum Verdict: Equatable {
        /// No web page sent it.
        case notAPage
        case allowed(AllowedOrigin)
        case refused(String)
    }

    /// Those that the receiver reads, and for which browsers ask leave.
    private static let ownHeaders = [
        "content-type", "content-encoding", "authorization", ExperimentList.headerName,
    ]

    /// Names of headers that pages may set, in lower case.
    let headers: [String]
    /// What the answer to a preflight says besides, as header lines that each begin with a line end.
    let preflightLines: String

    private let exact: Set<String>
    private let globs: [Glob]
    /// Globs that match hosts of everybody.
    private let wideGlobs: [Glob]
    private let hasEveryOrigin: Bool
    private let hasNull: Bool
    /// Whether what browsers add by themselves, a password that they remember or a certificate, shows who sends.
    private let trustsBrowsers: Bool

    /// - Parameters:
    ///   - cors: Checked settings.
    ///   - keptHeaders: Names of headers that are kept with requests, in lower case.
    ///   - trustsBrowsers: Whether the receiver takes passwords or certificates.
    init(_ cors: CORSSettings, keptHeaders: [String], trustsBrowsers: Bool) {
        var headers = Self.ownHeaders
        for name in keptHeaders + cors.headers where !headers.contains(name) {
            headers.append(name)
        }
        self.headers = headers
        preflightLines =
            "\r\naccess-control-allow-methods: POST\r\naccess-control-allow-headers: \(headers.joined(separator: ", "))"
            + "\r\naccess-control-max-age: \(cors.maxAge.components.seconds)"
        let patterns = cors.origins.filter { $0 != "*" && Glob.isPattern($0) }
        let isWide = { (pattern: String) in WebOrigin(pattern, asPattern: true)?.hasEveryHost == true }
        exact = Set(cors.origins).subtracting(patterns).subtracting(["*", "null"])
        globs = patterns.filter { !isWide($0) }.map(Glob.init)
        wideGlobs = patterns.filter(isWide).map(Glob.init)
        hasEveryOrigin = cors.origins.contains("*")
        hasNull = cors.origins.contains("null")
        self.trustsBrowsers = trustsBrowsers
    }

    /// What the values of a request's `Origin` headers mean.
    func verdict(on origins: [String]) -> Verdict {
        guard let origin = origins.first else { return .notAPage }
        guard origins.count == 1 else { return .refused(origins.joined(separator: ", ")) }
        if exact.contains(origin) { return .allowed(AllowedOrigin(origin: origin)) }
        // Any page can have this one, in a sandboxed frame.
        if origin == "null", hasNull {
            return .allowed(AllowedOrigin(origin: origin, mayUseCredentials: !trustsBrowsers))
        }
        // What is echoed is an origin, whatever a wildcard stands for.
        guard WebOrigin(origin) != nil else { return .refused(origin) }
        if globs.contains(where: { $0.matches(origin) }) { return .allowed(AllowedOrigin(origin: origin)) }
        guard hasEveryOrigin || wideGlobs.contains(where: { $0.matches(origin) }) else { return .refused(origin) }
        // Any page could send as whoever looks at it.
        return .allowed(AllowedOrigin(origin: origin, mayUseCredentials: !trustsBrowsers))
    }

    /// Those of the headers that a preflight asks for which pages may not set, the first few.
    func refusedHeaders(_ asked: [String]) -> [String] {
        let names = asked.flatMap { $0.split(separator: ",") }.map(\.trimmed).filter { !$0.isEmpty }
        return names.lazy.filter { name in !headers.contains { name.isHeader($0) } }.prefix(5).map(String.init)
    }
}

/// The origin of a web page that may send.
struct AllowedOrigin: Equatable, Sendable {
    let origin: String
    /// Whether the browser may add what it has for this receiver: cookies, passwords, certificates.
    var mayUseCredentials = true

    /// What every answer to the page has, as header lines that each begin with a line end: without the first of them its browser
    /// takes any answer for a network error, and sends again.
    var lines: String {
        let credentials = mayUseCredentials ? "\r\naccess-control-allow-credentials: true" : ""
        return "\r\naccess-control-allow-origin: \(origin)\(credentials)"
            + "\r\naccess-control-expose-headers: retry-after, www-authenticate\r\nvary: origin"
    }
}
