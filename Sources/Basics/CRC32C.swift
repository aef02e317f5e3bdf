import CMachine

/// CRC-32C (Castagnoli), the checksum of the journal's records and cursors.
package struct CRC32C: Sendable {
    /// The checksum of everything added so far.
    package private(set) var value: UInt32

    /// - Parameter salt: Mixed in first, so that the same bytes under another salt do not validate.
    package init(salt: UInt32 = 0) {
        value = salt
    }

    /// Adds bytes.
    package mutating func update(_ bytes: RawSpan) {
        value = bytes.withUnsafeBytes { unsafe millrace_crc32c(value, $0.baseAddress, $0.count) }
    }
}
