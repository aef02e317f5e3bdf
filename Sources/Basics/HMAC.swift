import COpenSSL

/// Codes that only who has the key can make or compare (RFC 2104).
package enum HMAC {
    /// The code with SHA-256 of the bytes in `range` of `text`, as 64 lower-case hexadecimal digits.
    ///
    /// Nil where there is no memory for it.
    package static func sha256(_ text: RawSpan, _ range: Range<Int>, key: [UInt8]) -> String? {
        var code = [UInt8](repeating: 0, count: 32)
        let isMade = text.extracting(range).withUnsafeBytes { bytes in
            unsafe millrace_hmac_sha256(key, Int32(clamping: key.count), bytes.baseAddress, bytes.count, &code)
        }
        guard isMade != 0 else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: code.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
