import Basics
import Logging
import Pipeline
import Settings
import Synchronization

/// Tells who sends a request: by its `Authorization` header, else by the certificate that its client connected with.
///
/// Counts and logs whom a receiver refuses, too.
/// Any thread, without waiting for anything: files of members are read again on a thread of their own (`MemberWatch`).
final class Authenticator: Sendable {
    /// Why a request is refused; the `reason` label.
    enum Denial: String, CaseIterable {
        /// It shows nothing.
        case missing
        /// What it shows is in no form that is known.
        case malformed
        case wrong
        /// Nothing but a certificate, whose name is no member's.
        case certificate
        /// Too many guesses came from its source.
        case throttled
        /// It asks by header for an experiment that it may not ask for.
        case header
        /// It names a host that is not the receiver's.
        case host
    }

    /// Nil where nobody has to show anything.
    private let settings: AuthSettings?
    private let receiver: String
    private let table: Mutex<MemberTable>
    private let guesses = Mutex(GuessLimit())
    private let denials: [Denial: Counter]
    /// Names an identity or a source once a minute.
    private let throttle = Mutex(SenderThrottle())
    /// The same for hosts that are asked for.
    private let hostThrottle = Mutex(SenderThrottle())
    private let clock: WallClock
    private let logger: Logger

    /// - Parameters:
    ///   - settings: Who may send; nil for everybody.
    ///   - receiver: The receiver's key in the pipeline file.
    ///   - meters: Counts refused requests.
    ///   - clock: Tells how fast somebody guesses.
    ///   - logger: Told who is refused.
    init(_ settings: AuthSettings?, receiver: String, meters: Meters, clock: WallClock, logger: Logger) {
        self.settings = settings
        self.receiver = receiver
        self.clock = clock
        self.logger = logger
        table = Mutex(MemberTable(key: HMAC.randomKey(), []))
        denials = Dictionary(
            uniqueKeysWithValues: Denial.allCases.map { denial in
                let labels = ["receiver": receiver, "reason": denial.rawValue]
                return (denial, meters.counter("millrace_receiver_denied_requests_total", labels))
            }
        )
    }

    /// Whether requests need credentials.
    var isNeeded: Bool { settings != nil }

    /// From now on these members count.
    func replace(_ members: [Member]) {
        table.withLock { $0 = $0.replacing(members) }
    }

    /// Who sends a request.
    ///
    /// - Parameters:
    ///   - authorization: The values of its `Authorization` headers.
    ///   - certificate: The name in the certificate that its connection was opened with, verified; nil without one.
    ///   - source: Where it came from.
    /// - Returns: Nil where nobody has to say so.
    /// - Throws: What is answered where it has to be said, and is not, or not rightly.
    func identify(
        _ authorization: [String],
        certificate: String?,
        from source: SourceAddress
    ) throws(HTTPError) -> Identity? {
        guard let settings else { return certificate.map { Identity($0) } }
        let table = table.withLock { $0 }
        guard let shown = authorization.first else {
            guard let certificate else { throw deny(.missing, source, settings) }
            // A certificate shows who somebody is; what that one may do stands with the member of the name alone.
            guard let member = table.member(named: certificate) else {
                throw deny(.certificate, source, settings, of: Identity(certificate))
            }
            return member
        }
        guard authorization.count == 1, let credential = Credential(authorization: shown),
            let digest = table.digest(of: credential)
        else { throw deny(.malformed, source, settings) }
        let identity = table.identity(of: digest)
        if let identity, !table.isGuessable(digest) { return identity }
        let verdict = guesses.withLock { guesses in
            guesses.judge(
                digest,
                isRight: identity != nil,
                wasRight: table.wasValid(digest),
                from: source,
                at: clock.now()
            )
        }
        switch verdict {
        case .accepted: return identity
        case .wrong: throw deny(.wrong, source, settings)
        case .tooMany: throw deny(.throttled, source, settings)
        }
    }

    /// Counts and logs a refusal.
    func note(_ denial: Denial, from source: SourceAddress, of identity: Identity? = nil) {
        denials[denial]?.add()
        log("a request is refused for its credentials", because: denial.rawValue, from: source, of: identity)
    }

    /// Counts and logs a request that names a host which is not the receiver's.
    func noteForeign(host: String, from source: SourceAddress) {
        denials[.host]?.add()
        guard let heldBack = hostThrottle.withLock({ $0.admit(.address(source), now: now) }) else { return }
        var metadata: Logger.Metadata = [
            "receiver": "\(receiver)", "host": "\(host.excerpt(max: 80))", "source": "\(source)",
        ]
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        logger.warning("a request is refused for its Host; more can be listed in \"hosts\"", metadata: metadata)
    }

    /// Logs that a pipeline took nothing of a member's request, because it would write where that one may not.
    func noteForbidden(_ reason: String, from source: SourceAddress, of identity: Identity) {
        log("a request is refused for its experiment", because: reason, from: source, of: identity)
    }

    /// Once a minute for each identity, or for each address of those without.
    private func log(_ what: Logger.Message, because reason: String, from source: SourceAddress, of identity: Identity?)
    {
        let sender = identity.map { Sender.identity($0.name) } ?? .address(source)
        guard let heldBack = throttle.withLock({ $0.admit(sender, now: now) }) else { return }
        var metadata: Logger.Metadata = ["receiver": "\(receiver)", "reason": "\(reason)", "source": "\(source)"]
        if let identity { metadata["identity"] = "\(identity.name.excerpt(max: 128))" }
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        logger.warning(what, metadata: metadata)
    }

    private var now: Duration { .nanoseconds(Int64(clamping: clock.now().nanoseconds)) }

    private func deny(
        _ denial: Denial,
        _ source: SourceAddress,
        _ settings: AuthSettings,
        of identity: Identity? = nil
    ) -> HTTPError {
        note(denial, from: source, of: identity)
        let schemes = AuthScheme.allCases.filter { !settings[$0].isEmpty }
        switch denial {
        case .throttled: return .tooManyGuesses
        case .missing: return .unauthorized("no credentials", schemes)
        case .malformed: return .unauthorized("one Authorization header in a form that is known is needed", schemes)
        case .certificate:
            let name = quoted(identity?.name.excerpt(max: 128) ?? "")
            return .unauthorized("the certificate is of \(name), and no member has that name", schemes)
        case .wrong, .header, .host: return .unauthorized("the credentials are not those of a member", schemes)
        }
    }
}

extension HTTPError {
    fileprivate static func unauthorized(_ what: String, _ schemes: [AuthScheme]) -> HTTPError {
        let forms = schemes.map { $0 == .bearer ? "\"Authorization: Bearer TOKEN\"" : "a user name and password" }
        let header: StaticString =
            switch (schemes.contains(.bearer), schemes.contains(.basic)) {
            case (true, true): #"www-authenticate: Bearer realm="millrace", Basic realm="millrace""#
            case (false, true): #"www-authenticate: Basic realm="millrace""#
            default: #"www-authenticate: Bearer realm="millrace""#
            }
        return HTTPError(.unauthorized, "\(what); allowed: \(forms.joined(separator: " or "))", header: header)
    }

    fileprivate static let tooManyGuesses = HTTPError(
        .tooManyRequests,
        "too many wrong credentials came from this address",
        retryAfter: .seconds(3)
    )
}
