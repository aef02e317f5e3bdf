package import Basics
package import Logging
package import NIOCore
import NIOSSL
package import Pipeline
import Synchronization

/// TLS of one server: gives each connection its handlers, and looks at the files now and then on a thread of its own.
///
/// `start`, then `addHandlers` for each connection, then `stop`.
package final class ServerTLS: Sendable {
    private struct State {
        var served: ServerCertificate?
        /// What was read first.
        var files: TLSFiles?
        /// Whether the files that are there now are not served, because something is wrong with them.
        var isStale = false
        var told = CertificateValidity.State.valid
    }

    private let settings: ServerTLSSettings
    private let listener: String
    private let offers: [String]
    private let clock: WallClock
    private let logger: Logger
    private let notices = ClientNotices()
    private let failures: [HandshakeFailure: Counter]
    private let meters: Meters
    private let state = Mutex(State())
    private let stopSignal = ThreadSignal()

    /// - Parameters:
    ///   - settings: Where the files lie.
    ///   - listener: What metrics and logs call the server.
    ///   - offers: What is spoken behind TLS (ALPN), the best first.
    ///   - meters: Counts handshakes that fail, and says when the certificate expires.
    ///   - logger: Told of files that changed, and once of each client whose handshake fails.
    ///   - clock: Tells whether the certificate has expired.
    package init(
        _ settings: ServerTLSSettings,
        listener: String,
        offering offers: [String] = ["http/1.1"],
        meters: Meters,
        logger: Logger,
        clock: WallClock = .system
    ) {
        self.settings = settings
        self.listener = listener
        self.offers = offers
        self.meters = meters
        self.logger = logger
        self.clock = clock
        let counters = HandshakeFailure.allCases.map { reason in
            let labels = ["listener": listener, "reason": reason.rawValue]
            return (reason, meters.counter("millrace_tls_handshake_failures_total", labels))
        }
        failures = Dictionary(uniqueKeysWithValues: counters)
    }

    /// Reads the files, and looks at them again every `reload` from now on; blocks for the disk.
    ///
    /// - Parameter onReplaced: Called after another certificate has taken the place of the one that was served.
    /// - Throws: What keeps the files from being served.
    package func start(onReplaced: @escaping @Sendable () -> Void = {}) throws(TLSProblem) {
        try load()
        watch(onReplaced: onReplaced)
    }

    /// Reads the files, of which connections are served from now on; blocks for the disk.
    ///
    /// - Throws: What keeps the files from being served.
    package func load() throws(TLSProblem) {
        let files = TLSFiles.onDisk(settings)
        let served = try ServerCertificate(files, settings, offering: offers)
        let now = clock.now()
        state.withLock { state in
            state.served = served
            state.files = files
            // Said when the pipeline file was checked.
            state.told = served.validity.state(at: now)
        }
    }

    /// Looks at the files again every `reload` from now on; behind `load`.
    ///
    /// - Parameter onReplaced: Called after another certificate has taken the place of the one that was served.
    package func watch(onReplaced: @escaping @Sendable () -> Void = {}) {
        guard let files = state.withLock({ $0.files }) else { return }
        registerReadings()
        spawnThread(named: "millrace-tls") {
            var gate = ReloadGate(serving: files)
            while !self.stopSignal.wait(for: self.settings.reload) { self.look(&gate, onReplaced) }
        }
    }

    /// Ends the thread; connections go on.
    package func stop() {
        stopSignal.signal()
    }

    /// SHA-256 of the served certificate's public key, in the form that libcurl takes; nil before `start`.
    package var publicKeyPin: String? { state.withLock { $0.served?.publicKeyPin } }

    private func registerReadings() {
        let labels = ["listener": listener]
        meters.gauge("millrace_tls_certificate_expiry_timestamp_seconds", labels) { [weak self] in
            Double(self?.state.withLock { $0.served?.validity.until } ?? 0)
        }
        meters.gauge("millrace_tls_last_reload_success", labels) { [weak self] in
            self?.state.withLock { $0.isStale } == true ? 0 : 1
        }
    }
}

// The files.
extension ServerTLS {
    private func look(_ gate: inout ReloadGate, _ onReplaced: () -> Void) {
        let files = TLSFiles.onDisk(settings)
        if gate.isDue(files) { take(files, onReplaced) }
        warnOfExpiry()
    }

    private func take(_ files: TLSFiles, _ onReplaced: () -> Void) {
        do throws(TLSProblem) {
            let next = try ServerCertificate(files, settings, offering: offers)
            state.withLock { state in
                state.served = next
                state.isStale = false
                state.told = .valid
            }
            logger.info("TLS certificate replaced", metadata: metadata)
            onReplaced()
        } catch {
            state.withLock { $0.isStale = true }
            var metadata = metadata
            metadata["setting"] = "\(error.setting)"
            metadata["reason"] = "\(error.message.excerpt())"
            logger.error("TLS files changed and cannot be served; the earlier ones stay in use", metadata: metadata)
        }
    }

    /// Says once for each certificate and state that it is not valid, or not for long.
    private func warnOfExpiry() {
        let now = clock.now()
        let warning: String? = state.withLock { state in
            guard let validity = state.served?.validity else { return nil }
            let current = validity.state(at: now)
            defer { state.told = current }
            return current == state.told ? nil : current.warning(of: validity)
        }
        guard let warning else { return }
        logger.warning("TLS: \(settings.certificate) \(warning)", metadata: ["listener": "\(listener)"])
    }

    private var metadata: Logger.Metadata {
        ["listener": "\(listener)", "certificate": "\(settings.certificate)"]
    }
}

// The connections.
extension ServerTLS {
    /// Puts TLS in front of whatever handlers follow; to be called on the channel's event loop, before any others are added.
    ///
    /// When the handshake is done a `TLSPeer` goes through the pipeline; nothing that the client sends goes on before, nor after a
    /// handshake that was refused. A handshake that fails is counted, told of and
    /// closed here; what follows sees no error of it. Whoever adds this bounds the time of the handshake by closing the
    /// channel.
    package func addHandlers(to channel: any Channel) throws {
        guard let context = state.withLock({ $0.served?.context }) else { throw ChannelError.operationUnsupported }
        let session = NIOSSLServerHandler(context: context)
        let client = ClientAddress(channel.remoteAddress)
        let handshake = TLSHandshake(session, of: client, needsPeer: settings.clientCA != nil, clock: clock) {
            self.note($0, $1, from: $2)
        }
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandlers([TLSFirstBytes(handshake), session, handshake])
    }

    private func note(_ reason: HandshakeFailure, _ detail: String, from client: ClientAddress) {
        failures[reason]?.add()
        guard notices.isNew(reason.rawValue, from: client.source) else { return }
        var metadata: Logger.Metadata = [
            "listener": "\(listener)", "reason": "\(reason.rawValue)",
            "client": "\(client)",
        ]
        if !detail.isEmpty { metadata["detail"] = "\(detail)" }
        logger.log(level: reason == .plainHTTP ? .warning : .info, "\(reason.explanation)", metadata: metadata)
    }
}
