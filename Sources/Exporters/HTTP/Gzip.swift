import CDeflate

/// The gzip format (RFC 1952) by libdeflate: half of zlib's cost, and a little smaller.
enum Gzip {
    /// The fastest: telemetry repeats itself so much that higher levels cost far more than they save.
    private static let level: Int32 = 1

    /// Compresses a whole body; nil where there is no memory for it.
    ///
    /// Takes about 3 ms for each MiB: never call it on the cooperative pool.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        guard let compressor = unsafe libdeflate_alloc_compressor(level) else { return nil }
        defer { unsafe libdeflate_free_compressor(compressor) }
        let bound = unsafe libdeflate_gzip_compress_bound(compressor, bytes.count)
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { output, written in
            written = unsafe libdeflate_gzip_compress(
                compressor,
                bytes,
                bytes.count,
                output.baseAddress,
                output.count
            )
        }
        // Every gzip stream has a head; no bytes mean that libdeflate found no room.
        return compressed.isEmpty ? nil : compressed
    }

    /// Inflates one whole stream; nil where it is none, or is longer than `bytesMax` then.
    static func decompress(_ bytes: ArraySlice<UInt8>, bytesMax: Int) -> [UInt8]? {
        guard let decompressor = unsafe libdeflate_alloc_decompressor() else { return nil }
        defer { unsafe libdeflate_free_decompressor(decompressor) }
        var result = LIBDEFLATE_SUCCESS
        let inflated = [UInt8](unsafeUninitializedCapacity: bytesMax) { output, written in
            result = bytes.withUnsafeBytes { input in
                unsafe libdeflate_gzip_decompress(
                    decompressor,
                    input.baseAddress,
                    input.count,
                    output.baseAddress,
                    output.count,
                    &written
                )
            }
            if result != LIBDEFLATE_SUCCESS { written = 0 }
        }
        return result == LIBDEFLATE_SUCCESS ? inflated : nil
    }
}
