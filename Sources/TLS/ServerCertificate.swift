package import Basics
import NIOCore
import NIOSSL
package import Settings

/// What is wrong with the files of a server's `tls`.
package struct TLSProblem: Error, Equatable, Sendable {
    /// `certificate`, `key` or `client_ca`.
    package let setting: String
    /// The file, what is wrong with it, and what is allowed.
    package let message: String
    /// A certificate that has expired is served all the same.
    package let severity: Problem.Severity
}

/// A certificate with its key, ready to be served.
struct ServerCertificate: Sendable {
    /// For new connections.
    let context: NIOSSLContext
    /// Of the certificate and its chain together.
    let validity: CertificateValidity
    /// SHA-256 of the certificate's public key, in the form that libcurl takes.
    let publicKeyPin: String

    /// Suites of TLS 1.2: forward secrecy and authenticated encryption, which clients have had for ten years.
    private static let cipherSuites = "ECDH+AESGCM:ECDH+CHACHA20"
    /// How long a connection that this side closes waits for the other side to say that it closes, too.
    private static let closeTime = TimeAmount.milliseconds(200)

    /// - Throws: The first thing that keeps the files from being served.
    init(_ files: TLSFiles, _ settings: ServerTLSSettings, offering offers: [String] = []) throws(TLSProblem) {
        let parts = TLSParts(files, settings)
        if let problem = parts.problems.first { throw problem }
        guard let leaf = parts.chain.first, let key = parts.key else {
            throw parts.problem("certificate", settings.certificate, "holds no certificate")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: parts.chain.map { .certificate($0) },
            privateKey: .privateKey(key)
        )
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuites = Self.cipherSuites
        configuration.applicationProtocols = offers
        configuration.shutdownTimeout = Self.closeTime
        if let authorities = parts.authorities {
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(authorities)
            configuration.sendCANameList = true
        }
        do {
            context = try NIOSSLContext(configuration: configuration)
            publicKeyPin = "sha256//" + SHA256.hash(try leaf.extractPublicKey().toSPKIBytes()).base64
        } catch NIOSSLError.failedToLoadPrivateKey {
            let (path, what) = (settings.key ?? settings.certificate, "is not the key of the certificate in")
            throw parts.problem("key", path, "\(what) \(settings.certificate)")
        } catch {
            throw parts.problem("certificate", settings.certificate, "cannot be served: \(error)")
        }
        validity = CertificateValidity(parts.chain)
    }
}

/// The files of a server's `tls`, each read by itself.
private struct TLSParts {
    private(set) var chain: [NIOSSLCertificate] = []
    private(set) var key: NIOSSLPrivateKey?
    private(set) var authorities: [NIOSSLCertificate]?
    private(set) var problems: [TLSProblem] = []

    init(_ files: TLSFiles, _ settings: ServerTLSSettings) {
        chain = certificates("certificate", settings.certificate, files.certificate)
        let keyPath = settings.key ?? settings.certificate
        // A file with both is reported once.
        if settings.key != nil || !chain.isEmpty { key = key("key", keyPath, files.key) }
        if let path = settings.clientCA, let content = files.clientCA {
            authorities = certificates("client_ca", path, content)
        }
    }

    func problem(_ setting: String, _ path: String, _ what: String) -> TLSProblem {
        let allowed =
            switch setting {
            case "key": "a PEM file with the certificate's private key, without a passphrase"
            case "client_ca": "a PEM file with the certificates of authorities"
            default: "a PEM file with the certificate, its chain behind it"
            }
        return TLSProblem(setting: setting, message: "\(path) \(what); allowed: \(allowed)", severity: .error)
    }

    private mutating func bytes(_ setting: String, _ path: String, _ content: TLSFiles.Content) -> [UInt8]? {
        switch content {
        case .success(let bytes) where bytes.isEmpty: problems.append(problem(setting, path, "is empty"))
        case .success(let bytes): return bytes
        case .failure(let error): problems.append(problem(setting, path, "cannot be read: \(error.reason)"))
        }
        return nil
    }

    private mutating func certificates(
        _ setting: String,
        _ path: String,
        _ content: TLSFiles.Content
    ) -> [NIOSSLCertificate] {
        guard let bytes = bytes(setting, path, content) else { return [] }
        if let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes) { return certificates }
        problems.append(problem(setting, path, "holds no certificate, or a damaged one"))
        return []
    }

    private mutating func key(_ setting: String, _ path: String, _ content: TLSFiles.Content) -> NIOSSLPrivateKey? {
        guard let bytes = bytes(setting, path, content) else { return nil }
        let text = String(decoding: bytes, as: UTF8.self)
        if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            problems.append(problem(setting, path, "holds an encrypted key"))
            return nil
        }
        if let key = try? NIOSSLPrivateKey(bytes: bytes, format: .pem) { return key }
        problems.append(problem(setting, path, "holds no private key, or a damaged one"))
        return nil
    }
}

extension ServerTLSSettings {
    /// Everything wrong with the files, as they are now: errors that keep them from being served, or one warning.
    ///
    /// `read` may block. `now` tells whether the certificate has expired.
    package func problems(
        at now: UnixTime,
        read: (String) -> Result<[UInt8], FileReadError>
    ) -> [TLSProblem] {
        let files = TLSFiles(self, read: read)
        let parts = TLSParts(files, self)
        guard parts.problems.isEmpty else { return parts.problems }
        do throws(TLSProblem) {
            let served = try ServerCertificate(files, self)
            guard let warning = served.validity.state(at: now).warning(of: served.validity) else { return [] }
            return [TLSProblem(setting: "certificate", message: "\(certificate) \(warning)", severity: .warning)]
        } catch {
            return [error]
        }
    }
}
