import Basics
import NIOHTTP1
import Pipeline

/// The answer to one request of the admin endpoint.
struct AdminPage {
    var status = HTTPResponseStatus.ok
    var contentType = "text/plain; charset=utf-8"
    var body: [UInt8]
    /// The methods that are allowed, where the request's own is not.
    var allow: String?

    /// What programs ask for that know the address and no name: whoever may connect gets it.
    static let probes: Set<Substring> = ["/healthz", "/readyz", "/metrics"]

    /// The one table of paths.
    init(_ head: HTTPRequestHead, from source: any AdminSource) {
        let (method, path) = (head.method, head.path)
        switch path {
        case "/healthz", "/readyz", "/metrics", "/ledger", "/": break
        default:
            self.init(.notFound, "nothing is served at \(path.excerpt())\n\n\(Self.index)")
            return
        }
        guard method == .GET || method == .HEAD else {
            self.init(.methodNotAllowed, "\(method.rawValue) is not allowed here\n")
            allow = "GET, HEAD"
            return
        }
        switch path {
        case "/healthz": self.init(.ok, "ok")
        case "/readyz": self.init(unreadyReasons: source.unreadyReasons)
        case "/metrics":
            self.init(.ok, source.metricsText)
            contentType = "text/plain; version=0.0.4; charset=utf-8"
        case "/ledger":
            self.init(.ok, "")
            body = source.ledgerJSON
            contentType = "application/json"
        default: self.init(.ok, Self.index)
        }
    }

    /// What became of a request about dead letters.
    init(_ answer: DeadLetterOffice.Answer) {
        switch answer {
        case .done(let json):
            self.init(.ok, "")
            body = json
            contentType = "application/json"
        case .unknown(let reason): self.init(.notFound, reason)
        case .incomplete(let reason): self.init(.insufficientStorage, reason)
        }
    }

    /// For whoever asks for dead letters without the token, or with the wrong method.
    init(refusing method: HTTPMethod, _ path: DeadLetterPath, isAllowed: Bool) {
        guard isAllowed else {
            self.init(.forbidden, "dead letters need the token that lies in the journal's directory\n")
            return
        }
        self.init(.methodNotAllowed, "\(method.rawValue) is not allowed here\n")
        allow = path.method
    }

    /// For a request that names another host than this one: a web page may have sent it.
    init(refusing host: String) {
        let names = "use localhost, 127.0.0.1 or [::1]"
        self.init(.forbidden, "the Host \"\(host.excerpt(max: 80))\" is not accepted on loopback; \(names)\n")
    }

    private init(_ status: HTTPResponseStatus, _ text: String) {
        self.status = status
        body = Array(text.utf8)
    }

    private init(unreadyReasons reasons: [String]) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("ready")
        writer.bool(reasons.isEmpty)
        writer.key("reasons")
        writer.beginArray()
        for reason in reasons { writer.string(reason) }
        writer.endArray()
        writer.endObject()
        status = reasons.isEmpty ? .ok : .serviceUnavailable
        contentType = "application/json"
        body = writer.bytes
    }

    private static let index = """
        Millrace

        /healthz  200 while the process lives
        /readyz   200 when requests are taken, else 503 with the reasons
        /metrics  counters and gauges for Prometheus
        /ledger   what became of every span, for each destination

        millrace dead-letters list|show|replay|purge for what a destination refuses

        """
}
