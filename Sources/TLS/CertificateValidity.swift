import Basics
import NIOSSL

/// From when to when a certificate and its chain are valid, in seconds since 1970.
struct CertificateValidity: Equatable, Sendable {
    /// Warnings begin this long before the end, or a quarter of the whole time where that is less.
    private static let warningSeconds = 30 * 86400

    let from: Int
    let until: Int

    init(from: Int, until: Int) {
        self.from = from
        self.until = until
    }

    /// Where all of them are valid.
    init(_ chain: [NIOSSLCertificate]) {
        from = chain.map(\.notValidBefore).max() ?? 0
        until = chain.map(\.notValidAfter).min() ?? 0
    }

    /// What an operator has to be told.
    enum State: Equatable, Sendable {
        case valid
        /// Clients refuse it until it begins.
        case early
        /// It ends soon.
        case ending
        case expired
    }

    func state(at now: UnixTime) -> State {
        let seconds = Int(clamping: now.nanoseconds / 1_000_000_000)
        if seconds >= until { return .expired }
        if seconds < from { return .early }
        return until - seconds <= min(Self.warningSeconds, (until - from) / 4) ? .ending : .valid
    }
}

extension CertificateValidity.State {
    /// What to say of a file with such a certificate; nil where all is well.
    func warning(of validity: CertificateValidity) -> String? {
        func date(_ seconds: Int) -> String {
            // The year 2540 at most, which nanoseconds in 64 bits can say.
            UnixTime(nanoseconds: UInt64(min(max(seconds, 0), 18_000_000_000)) * 1_000_000_000).text
        }
        return switch self {
        case .valid: nil
        case .early: "is not valid before \(date(validity.from)): clients refuse it"
        case .ending: "expires on \(date(validity.until))"
        case .expired: "expired on \(date(validity.until)): clients refuse it"
        }
    }
}
