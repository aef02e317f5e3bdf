extension [UInt8] {
    /// The bytes in base64 (RFC 4648 section 4), with padding.
    package var base64: String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var encoded: [UInt8] = []
        for start in stride(from: 0, to: count, by: 3) {
            let group = (0..<3).reduce(0) { $0 << 8 | (start + $1 < count ? Int(self[start + $1]) : 0) }
            for position in 0..<4 {
                let isPadding = start + position > count
                encoded.append(isPadding ? UInt8(ascii: "=") : alphabet[group >> (18 - 6 * position) & 63])
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
