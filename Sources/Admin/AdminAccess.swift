import Basics
import NIOHTTP1
import Synchronization

/// Who may ask the admin endpoint for what: the one table of paths and credentials.
///
/// What shows content or changes something always needs the token. Where others than this machine's programs can connect,
/// everything does but health, the files of the console page, which are the same in every process, and, where the pipeline file
/// opens them, metrics.
struct AdminAccess: Sendable {
    /// Nil where there is none: then what needs it is closed.
    let token: AdminToken?
    /// Whether everything but health needs the token, because not all of the addresses are local.
    let isExposed: Bool
    /// Whether `/metrics` is open all the same.
    let opensMetrics: Bool

    /// - Parameters:
    ///   - addresses: Where the endpoint listens.
    ///   - token: What clients have to show.
    ///   - opensMetrics: `open_metrics`.
    init(at addresses: [ListenAddress], token: AdminToken?, opensMetrics: Bool) {
        self.token = token
        self.opensMetrics = opensMetrics
        isExposed = !addresses.allSatisfy(\.isLocal)
    }

    fileprivate init(isExposed: Bool, token: AdminToken?, opensMetrics: Bool) {
        (self.isExposed, self.token, self.opensMetrics) = (isExposed, token, opensMetrics)
    }

    /// Whether a request for that path has to show the token.
    func needsToken(_ path: Substring) -> Bool {
        switch path {
        case "/healthz", "/readyz": false
        case "/metrics": isExposed && !opensMetrics
        default:
            !ConsoleFile.isServed(at: path)
                && (isExposed || ["/dead-letters/", "/api/"].contains { path.hasPrefix($0) })
        }
    }

    /// Whether a request shows the token.
    func isToken(shownBy head: HTTPRequestHead) -> Bool {
        let values = head.headers["authorization"]
        return values.count == 1 && token?.isShown(in: values[0]) == true
    }
}

/// Who may ask for what at this moment; a reload changes it.
final class CurrentAccess: Sendable {
    private let current: Mutex<AdminAccess>

    init(_ access: AdminAccess) {
        current = Mutex(access)
    }

    var value: AdminAccess { current.withLock { $0 } }

    /// From now on another token counts, and says something else of `/metrics`.
    func change(token: AdminToken?, opensMetrics: Bool) {
        current.withLock { $0 = AdminAccess(isExposed: $0.isExposed, token: token, opensMetrics: opensMetrics) }
    }
}

extension HTTPRequestHead {
    /// An origin that is not the endpoint's own, where a web page of another place sent the request.
    var foreignOrigin: String? {
        let host = headers.first(name: "host")?.lowercased() ?? ""
        return headers["origin"].first { origin in
            !["http://", "https://"].contains { origin.lowercased() == $0 + host }
        }
    }
}
