import Basics
import HTTPClient
import MLflow
import Synchronization

/// The version of an MLflow server, as far as it matters.
struct MLflowVersion: Comparable, Sendable {
    let major: Int
    let minor: Int

    /// The first that inflates gzip (mlflow#19024).
    static let firstWithGzip = MLflowVersion(major: 3, minor: 7)
    /// The first that is taken to count the tokens of a span once, however often the span is sent; 3.6.0 adds them again.
    static let firstCountingOnce = MLflowVersion(major: 3, minor: 7)

    init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads the answer of `/version`, such as `3.17.2` or `3.7.0rc1`; nil for anything else.
    init?(text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 3, let major = Int(parts[0]), let minor = Int(parts[1]), text.utf8.count < 32 else {
            return nil
        }
        self.init(major: major, minor: minor)
    }

    static func < (lhs: MLflowVersion, rhs: MLflowVersion) -> Bool {
        (lhs.major, lhs.minor) < (rhs.major, rhs.minor)
    }
}

/// Asks a server for its version, and again after it was away.
final class MLflowVersionProbe: Sendable {
    /// How long to wait after an answer that names no version.
    static let pause = Duration.seconds(300)
    /// How long to wait where no answer came: each batch would wait for it anew.
    static let silentPause = Duration.seconds(60)

    private struct State {
        var version: MLflowVersion?
        var notBefore = Duration.zero
    }

    private let server: MLflowServer
    private let client: any HTTPClient
    private let clock: MonotonicClock
    private let state = Mutex(State())
    /// Who is asking, and who waits for that.
    private let asking = Mutex((count: 0, waiters: [CheckedContinuation<Void, Never>]()))
    /// The oldest that the server ever was.
    private let oldest = Mutex<MLflowVersion?>(nil)

    init(server: MLflowServer, client: any HTTPClient, clock: MonotonicClock) {
        self.server = server
        self.client = client
        self.clock = clock
    }

    /// The server was away and may come back as another version.
    func forget() {
        state.withLock { $0 = State() }
    }

    /// Whether the server is older than a version, or was so since the process started; false where that cannot be had.
    func isOrWas(before version: MLflowVersion) async -> Bool {
        _ = await known()
        // Somebody else may be asking.
        await answered()
        return oldest.withLock { $0.map { $0 < version } ?? false }
    }

    /// Returns once nobody is asking.
    private func answered() async {
        await withCheckedContinuation { continuation in
            let isAsking = asking.withLock { asking in
                if asking.count > 0 { asking.waiters.append(continuation) }
                return asking.count > 0
            }
            if !isAsking { continuation.resume() }
        }
    }

    private func beginAsking() { asking.withLock { $0.count += 1 } }

    private func endAsking() {
        let waiters = asking.withLock { asking -> [CheckedContinuation<Void, Never>] in
            asking.count -= 1
            defer { if asking.count == 0 { asking.waiters = [] } }
            return asking.count == 0 ? asking.waiters : []
        }
        for waiter in waiters { waiter.resume() }
    }

    /// The server's version, asked for where it is not known; nil where it cannot be had.
    func known() async -> MLflowVersion? {
        let now = clock.now()
        let (known, mayAsk) = state.withLock { ($0.version, $0.notBefore <= now) }
        guard known == nil, mayAsk else { return known }
        beginAsking()
        defer { endAsking() }
        // Batches that come meanwhile do not ask as well.
        state.withLock { $0.notBefore = now + Self.silentPause }
        guard let response = try? await client.send(server.get("/version")) else { return nil }
        let text = response.status == 200 ? String(decoding: response.body, as: UTF8.self)[...].trimmingWhitespace : ""
        let version = MLflowVersion(text: String(text))
        state.withLock { $0 = State(version: version, notBefore: now + Self.pause) }
        if let version { oldest.withLock { $0 = min($0 ?? version, version) } }
        return version
    }
}
