import Basics
import CZstd

/// Streaming inflation of Zstandard frames, one after the other (RFC 8878).
final class ZstandardInflater: StreamInflater {
    /// The largest window that a frame may ask for, as a power of two: 8 MiB, which every decoder should have (section 3.1.1.1.2).
    private static let windowLogMax: Int32 = 23
    private static let pieceBytes = 32_768

    // Libzstd's own allocation; nil where there was no memory for it.
    private let stream: OpaquePointer?
    private var piece = [UInt8](repeating: 0, count: pieceBytes)
    private var isAtEnd = false

    init() {
        unsafe stream = ZSTD_createDCtx()
        _ = unsafe ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.windowLogMax)
    }

    deinit {
        unsafe ZSTD_freeDCtx(stream)
    }

    /// Grows by the window that a frame asks for.
    var workingBytes: Int { unsafe ZSTD_sizeof_DCtx(stream) + Self.pieceBytes }

    func inflate(_ input: RawSpan, emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void) throws(HTTPError) {
        guard unsafe stream != nil else { throw .noMemory }
        try input.withUnsafeBytes { (bytes) throws(HTTPError) in
            var source = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
            var isFull = false
            // A full piece may leave output inside libzstd although all input is taken.
            while unsafe source.pos < source.size || isFull {
                let (count, status) = unsafe step(&source)
                guard ZSTD_isError(status) == 0 else { throw problem(status) }
                if count > 0 { try emit(piece[..<count]) }
                isAtEnd = status == 0
                isFull = count == Self.pieceBytes && !isAtEnd
            }
        }
    }

    func finish() throws(HTTPError) {
        guard isAtEnd else { throw malformed("it ends early") }
    }

    private func step(_ source: inout ZSTD_inBuffer) -> (count: Int, status: Int) {
        piece.withUnsafeMutableBufferPointer { output in
            var target = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
            let status = unsafe ZSTD_decompressStream(stream, &target, &source)
            return unsafe (target.pos, status)
        }
    }

    private func malformed(_ reason: String) -> HTTPError {
        HTTPError(.badRequest, "the body is not valid zstd: \(reason)")
    }

    private func problem(_ status: Int) -> HTTPError {
        switch ZSTD_getErrorCode(status) {
        case ZSTD_error_memory_allocation: return .noMemory
        case ZSTD_error_frameParameter_windowTooLarge:
            return malformed("its window is larger than 8 MiB; a lower compression level has a smaller one")
        default: return malformed(unsafe String(cString: ZSTD_getErrorName(status)))
        }
    }
}
