import Basics
import NIOSSL

/// What TLS says of the other end of a connection; goes through its pipeline as an inbound event when the handshake is done.
package struct TLSPeer: Sendable {
    /// Who the client's certificate names: its first URI, else its first DNS name, else its common name.
    ///
    /// Nil without `client_ca`, for a certificate that names nobody, and where the name that counts is longer than 256 bytes
    /// or has control characters.
    package let identity: String?
}

/// The names in a certificate that may stand for whoever shows it, each in the order of the certificate.
struct CertificateNames: Sendable {
    private static let bytesMax = 256

    var uris: [[UInt8]] = []
    var dnsNames: [[UInt8]] = []
    var commonNames: [[UInt8]] = []

    /// The one that counts.
    ///
    /// A kind of name that is there decides, good or bad, so that no other name of the certificate takes its place.
    var identity: String? {
        guard let bytes = uris.first ?? dnsNames.first ?? commonNames.last, !bytes.isEmpty,
            bytes.count <= Self.bytesMax, bytes.span.bytes.isValidUTF8
        else { return nil }
        let name = String(decoding: bytes, as: UTF8.self)
        return name.contains(where: \.isControl) ? nil : name
    }
}

extension CertificateNames {
    init(_ certificate: NIOSSLCertificate) {
        for name in certificate._subjectAlternativeNames() {
            switch name.nameType {
            case .uri: uris.append(Array(name.contents))
            case .dnsName: dnsNames.append(Array(name.contents))
            default: break
            }
        }
        // The last one of a subject says most.
        commonNames = certificate.subjectName.filter { $0.type == .commonName }.map { Array($0.value.utf8) }
    }
}
