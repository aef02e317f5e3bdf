#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension [UInt8] {
    /// Whether another array holds the same bytes; of many bytes at less cost than `==`.
    package func hasSameBytes(as other: [UInt8]) -> Bool {
        guard count == other.count else { return false }
        return unsafe withUnsafeBytes { own in
            unsafe other.withUnsafeBytes { others in
                guard let start = own.baseAddress, let other = others.baseAddress else { return true }
                return unsafe memcmp(start, other, own.count) == 0
            }
        }
    }
}
