import Basics
import NIOCore

/// Why a connection to a TLS port came to nothing, as metrics and logs have it.
enum HandshakeFailure: String, CaseIterable, Sendable {
    case plainHTTP = "plain_http"
    case version
    case cipher
    case noCertificate = "no_certificate"
    case badCertificate = "bad_certificate"
    case refusedByClient = "refused_by_client"
    case closed
    case timeout
    case other

    /// What OpenSSL's successors call it; NIOSSL gives their words and no codes.
    private static let words: KeyValuePairs<String, HandshakeFailure> = [
        "HTTP_REQUEST": .plainHTTP, "HTTPS_PROXY_REQUEST": .plainHTTP,
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": .noCertificate,
        "CERTIFICATE_VERIFY_FAILED": .badCertificate,
        // OpenSSL's clients send the alert of TLS 1.3 in plaintext, which is too short for ciphertext.
        "_ALERT_": .refusedByClient, "BAD_PACKET_LENGTH": .refusedByClient,
        "UNSUPPORTED_PROTOCOL": .version, "WRONG_VERSION_NUMBER": .version, "INAPPROPRIATE_FALLBACK": .version,
        "NO_SHARED_CIPHER": .cipher, "NO_SHARED_GROUP": .cipher, "NO_COMMON_SIGNATURE_ALGORITHMS": .cipher,
        "WRONG_CURVE": .cipher,
        "EOF during": .closed,
    ]

    init(_ error: any Error) {
        // Balancers end their checks by a reset.
        if error is IOError {
            self = .closed
            return
        }
        let text = "\(error)"
        self = Self.words.first { text.contains($0.key) }?.value ?? .other
    }

    /// What the library says, without what it says each time.
    static func detail(_ error: any Error) -> String {
        let text = "\(error)"
        guard let start = text.firstRange(of: "OPENSSL_internal:")?.upperBound else { return text.excerpt(max: 120) }
        return String(text[start...].prefix { $0 != " " && $0 != "]" })
    }

    /// What is wrong, and what to do, for the operator.
    var explanation: String {
        switch self {
        case .plainHTTP: "a client speaks plain HTTP to a port that speaks TLS; it needs an address with https://"
        case .version: "a client offers no version of TLS that is allowed; 1.2 is the least"
        case .cipher: "a client offers no cipher, curve or signature that is allowed"
        case .noCertificate: "a client shows no certificate, and \"client_ca\" wants one"
        case .badCertificate: "a client's certificate has expired or is of none of the authorities in \"client_ca\""
        case .refusedByClient:
            "a client refuses the handshake; it must trust the certificate's authority and ask for a name that stands in it"
        case .closed: "a client closes the connection before the TLS handshake is done"
        case .timeout: "a client does not complete the TLS handshake in time"
        case .other: "a client's TLS handshake fails"
        }
    }
}
