import Basics
import Logging
import NIOHTTP1
import Pipeline
import Synchronization

/// What a receiver with `cors` does with requests of web pages.
///
/// Any thread.
final class WebPages: Sendable {
    let policy: CORSPolicy
    private let receiver: String
    private let refused: Counter
    /// What was said already.
    private let told = Mutex(IdleTable<String, Bool>(countMax: 256, idleTime: .seconds(3600)))
    private let clock: WallClock
    private let logger: Logger

    /// - Parameters:
    ///   - policy: Who may send.
    ///   - receiver: The receiver's key in the pipeline file.
    ///   - meters: Counts refused requests.
    ///   - clock: Tells what was said long ago.
    ///   - logger: Told whose pages are refused, and what they may not set.
    init(_ policy: CORSPolicy, receiver: String, meters: Meters, clock: WallClock, logger: Logger) {
        self.policy = policy
        self.receiver = receiver
        self.clock = clock
        self.logger = logger
        refused = meters.counter("millrace_receiver_refused_origin_requests_total", ["receiver": receiver])
    }

    /// The page's origin where it may send; nil where no page sent the request, or one that may not.
    func allowedOrigin(of head: HTTPRequestHead) -> AllowedOrigin? {
        guard case .allowed(let origin) = policy.verdict(on: head.headers["origin"]) else { return nil }
        return origin
    }

    /// Throws where a page sent the request that may not; counts and logs that.
    func check(_ head: HTTPRequestHead) throws(HTTPError) {
        guard case .refused(let origin) = policy.verdict(on: head.headers["origin"]) else { return }
        refused.add()
        note("requests of web pages from an origin that is not in cors are refused", from: origin)
        let what = "web pages of \"\(origin.excerpt(max: 80))\" may not send here"
        throw HTTPError(.forbidden, "\(what); more origins can be listed in \"cors\"")
    }

    /// Says which headers a preflight asks for in vain: the browser then sends nothing.
    func noteHeaders(of head: HTTPRequestHead, from origin: AllowedOrigin) {
        let names = policy.refusedHeaders(head.headers["access-control-request-headers"])
        guard !names.isEmpty else { return }
        let list = names.joined(separator: ", ").excerpt(max: 100)
        note("web pages set headers that cors does not allow, and send nothing", from: origin.origin, headers: list)
    }

    /// Logs something about an origin once.
    private func note(_ message: String, from origin: String, headers: String? = nil) {
        let origin = origin.excerpt(max: 100)
        let (key, now) = ("\(origin) \(headers ?? "")", clock.now())
        guard told.withLock({ $0.note(key, at: now) }) else { return }
        var metadata: Logger.Metadata = ["receiver": "\(receiver)", "origin": "\(origin)"]
        if let headers { metadata["headers"] = "\(headers)" }
        logger.warning("\(message)", metadata: metadata)
    }
}

extension HTTPRequestHead {
    /// Whether a browser asks by it if a page may send.
    var isPreflight: Bool {
        method == .OPTIONS && headers.contains(name: "access-control-request-method")
    }
}
