import CZlib
import CZstd

/// Compresses into one Zstandard frame.
func zstandard(_ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let count = ZSTD_compress(&output, output.count, bytes, bytes.count, 3)
    precondition(ZSTD_isError(count) == 0)
    return Array(output[..<count])
}

/// Compresses with zlib: window bits 31 for gzip, 15 for zlib, -15 for raw deflate.
func compressed(_ bytes: [UInt8], windowBits: Int32 = 31) -> [UInt8] {
    var stream = z_stream()
    var output = [UInt8](repeating: 0, count: bytes.count + bytes.count / 1000 + 64)
    var input = bytes
    precondition(millrace_deflate_init(&stream, 6, windowBits) == Z_OK)
    let count = input.withUnsafeMutableBufferPointer { source in
        output.withUnsafeMutableBufferPointer { target in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(target.count)
            precondition(deflate(&stream, Z_FINISH) == Z_STREAM_END)
            return target.count - Int(stream.avail_out)
        }
    }
    deflateEnd(&stream)
    return Array(output[..<count])
}

/// A gzip stream of that many MiB of zeros, about 1 KB for each, without its end.
func bomb(mebibytes: Int) -> [UInt8] {
    var stream = z_stream()
    var zeros = [UInt8](repeating: 0, count: 1 << 20)
    var output = [UInt8](repeating: 0, count: 1 << 16)
    precondition(millrace_deflate_init(&stream, 9, -15) == Z_OK)
    let count = zeros.withUnsafeMutableBufferPointer { source in
        output.withUnsafeMutableBufferPointer { target in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(target.count)
            // A full flush ends at a byte and refers to nothing before it, so the block may be repeated.
            precondition(deflate(&stream, Z_FULL_FLUSH) == Z_OK)
            return target.count - Int(stream.avail_out)
        }
    }
    deflateEnd(&stream)
    let header: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3]
    return header + (0..<mebibytes).flatMap { _ in output[..<count] }
}
