import Basics
import NIOHTTP1
import Pipeline

/// The answer to one request of the admin endpoint.
struct AdminPage {
    var status = HTTPResponseStatus.ok
    var contentType = "text/plain; charset=utf-8"
    var body: [UInt8]
    /// What is allowed or needed, where the request is refused.
    var header: (name: String, value: String)?
    /// Whether it tells of this process, and not only of the program.
    var isData = true

    /// What programs ask for that know the address and no name: whoever may connect is told yes or no.
    static let probes: Set<Substring> = ["/healthz", "/readyz"]

    /// Whether no page of the endpoint itself asks for that path: then `Origin` says nothing about who does.
    static func isForPrograms(_ path: Substring) -> Bool { probes.contains(path) || path == "/metrics" }

    /// The one table of paths; `saysWhy` lets the reasons of not being ready be read.
    init(_ head: HTTPRequestHead, from source: any AdminSource, saysWhy: Bool) {
        let (method, path) = (head.method, head.path)
        switch path {
        case "/healthz", "/readyz", "/metrics", "/ledger": break
        default:
            self.init(.notFound, "nothing is served at \(path.excerpt())\n\n\(Self.index)")
            return
        }
        guard method == .GET || method == .HEAD else {
            self.init(refusing: method, allowed: "GET, HEAD")
            return
        }
        switch path {
        case "/healthz": self.init(.ok, "ok")
        case "/readyz": self.init(unreadyReasons: source.unreadyReasons, saysWhy: saysWhy)
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

    /// What the console page asks for that is known at once; of the others the head alone.
    init(_ path: ConsolePath, from source: any AdminSource) {
        self.init(.ok, "")
        contentType = "application/json"
        switch path {
        case .file(let file):
            (body, contentType, isData) = (file.bytes, file.contentType, false)
        case .status: body = source.statusJSON
        case .services: body = source.servicesJSON
        case .configuration: body = source.configurationJSON
        case .stream: contentType = "text/event-stream"
        case .trace, .tailed: break
        case .setPaused(let isPaused, let destination): self.init(source.set(paused: isPaused, destination))
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

    /// For a method that the path does not have.
    init(refusing method: HTTPMethod, allowed: String) {
        self.init(.methodNotAllowed, "\(method.rawValue) is not allowed here\n")
        header = ("allow", allowed)
    }

    /// For whoever has to show the token and does not.
    static let unauthorized = {
        let place = "\"token\" of \"admin\" in the pipeline file, else the file admin-token in the journal's directory"
        var page = AdminPage(
            .unauthorized,
            "this needs \"Authorization: Bearer TOKEN\" with the admin token: \(place)\n"
        )
        page.header = ("www-authenticate", "Bearer realm=\"millrace admin\"")
        return page
    }()

    /// For a change that does not say that its body is JSON: a form of a web page may have sent it.
    static let unsupportedType = AdminPage(
        .unsupportedMediaType,
        "changes under /api/ need \"Content-Type: application/json\"\n"
    )

    /// For one more listener than there may be.
    static let tooManyStreams = {
        var page = AdminPage(.serviceUnavailable, "too many pages listen: ask /api/status from time to time\n")
        page.header = ("retry-after", "2")
        return page
    }()

    /// For a request that a web page of another place sent.
    init(refusingOrigin origin: String) {
        let what = "requests of web pages from \"\(origin.excerpt(max: 80))\" are not accepted"
        self.init(.forbidden, "\(what); allowed: pages of this endpoint\n")
    }

    /// For a request that names another host than this one: a web page may have sent it.
    init(refusing host: String) {
        let names = "use localhost, 127.0.0.1 or [::1]"
        self.init(.forbidden, "the Host \"\(host.excerpt(max: 80))\" is not accepted on loopback; \(names)\n")
    }

    init(_ status: HTTPResponseStatus, _ text: String) {
        self.status = status
        body = Array(text.utf8)
    }

    private init(unreadyReasons reasons: [String], saysWhy: Bool) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("ready")
        writer.bool(reasons.isEmpty)
        if saysWhy {
            writer.key("reasons")
            writer.beginArray()
            for reason in reasons { writer.string(reason) }
            writer.endArray()
        }
        writer.endObject()
        status = reasons.isEmpty ? .ok : .serviceUnavailable
        contentType = "application/json"
        body = writer.bytes
    }

    private static let index = """
        /         the console page; its address with the token is printed where a terminal is
        /healthz  200 while the process lives
        /readyz   200 when requests are taken, else 503 with the reasons
        /metrics  counters and gauges for Prometheus
        /ledger   what became of every span, for each destination

        millrace reload to have the process take a changed pipeline file
        millrace dead-letters list|show|replay|purge for what a destination refuses

        """
}
