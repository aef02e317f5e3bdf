import COpenSSL

/// The hash of FIPS 180-4 that others compute, too.
package enum SHA256 {
    /// The 32 bytes of the hash.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        var hash = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        _ = unsafe COpenSSL.SHA256(bytes, bytes.count, &hash)
        return hash
    }
}
