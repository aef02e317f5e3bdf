import Basics
import NIOSSL

extension TLSSettings? {
    /// The same for the library; of a client that shows nothing and trusts the system's authorities without settings.
    func configuration() throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        guard let self else { return configuration }
        if let ca = self.ca { configuration.trustRoots = .file(ca) }
        if let path = self.certificate {
            configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(path).map { .certificate($0) }
            configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: self.key ?? path, format: .pem))
        }
        if !self.verify { configuration.certificateVerification = .none }
        return configuration
    }
}
