import COpenSSL

/// Codes that only who has the key can make or compare (RFC 2104).
package enum HMAC {
    /// A code as a value: what is secret is looked up by it, so that the time a look-up takes says nothing of the secret.
    package typealias Digest = SIMD4<UInt64>

    /// The code with SHA-256 of the bytes in `range` of `text`, as 64 lower-case hexadecimal digits.
    ///
    /// Nil where there is no memory for it.
    package static func sha256(_ text: RawSpan, _ range: Range<Int>, key: [UInt8]) -> String? {
        code(text, range, key: key)?.hexadecimal
    }

    /// The code with SHA-256 of `text`, 32 bytes; nil where there is no memory for it.
    package static func code(_ text: [UInt8], key: [UInt8]) -> [UInt8]? {
        code(text.span.bytes, 0..<text.count, key: key)
    }

    /// The code with SHA-256 of `text`; nil where there is no memory for it.
    package static func digest(_ text: [UInt8], key: [UInt8]) -> Digest? {
        code(text, key: key).map { code in
            var digest = Digest()
            for (index, byte) in code.enumerated() { digest[index / 8] = digest[index / 8] << 8 | UInt64(byte) }
            return digest
        }
    }

    /// A key that nobody else has and that ends with the process.
    package static func randomKey() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    private static func code(_ text: RawSpan, _ range: Range<Int>, key: [UInt8]) -> [UInt8]? {
        var code = [UInt8](repeating: 0, count: 32)
        let isMade = text.extracting(range).withUnsafeBytes { bytes in
            unsafe millrace_hmac_sha256(key, Int32(clamping: key.count), bytes.baseAddress, bytes.count, &code)
        }
        return isMade != 0 ? code : nil
    }
}
