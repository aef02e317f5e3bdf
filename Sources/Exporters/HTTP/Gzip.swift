import CZlib

/// The gzip format (RFC 1952).
enum Gzip {
    /// zlib's fastest: telemetry repeats itself so much that higher levels cost far more than they save.
    private static let level: Int32 = 1
    /// The largest window, with a gzip header instead of zlib's own.
    private static let windowBits: Int32 = 15 + 16

    /// Compresses a whole body; nil when zlib has no memory.
    ///
    /// Takes about 6 ms for each MiB: never call it on the cooperative pool.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        guard unsafe millrace_deflate_init(&stream, level, windowBits) == Z_OK else { return nil }
        defer { unsafe deflateEnd(&stream) }
        guard let count = UInt32(exactly: bytes.count) else { return nil }
        let bound = unsafe Int(deflateBound(&stream, UInt(bytes.count)))
        var isComplete = false
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { output, written in
            bytes.withUnsafeBufferPointer { input in
                unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                unsafe stream.avail_in = count
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(clamping: output.count)
                isComplete = unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END
                written = unsafe Int(stream.total_out)
            }
        }
        return isComplete ? compressed : nil
    }
}
