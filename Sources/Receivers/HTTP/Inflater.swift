import Basics
import CZlib

/// Streaming inflation by zlib: several gzip members, or deflate with or without its zlib wrapping.
final class Inflater: StreamInflater {
    private static let pieceBytes = 32_768

    private let coding: ContentCoding
    // In an allocation of its own because zlib keeps a pointer to it.
    private let stream: UnsafeMutablePointer<z_stream>
    private var piece = [UInt8](repeating: 0, count: pieceBytes)
    /// The first bytes of a deflate body, until they tell which of its two forms it has.
    private var start: [UInt8] = []
    private var isOpen = false
    private var isAtEnd = false

    /// - Parameter coding: `gzip` or `deflate`.
    init(_ coding: ContentCoding) {
        self.coding = coding
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
    }

    deinit {
        if isOpen { unsafe inflateEnd(stream) }
        unsafe stream.deallocate()
    }

    /// What zlib's window and state take, and the piece that is inflated at a time.
    var workingBytes: Int { 48_000 + Self.pieceBytes }

    func inflate(_ input: RawSpan, emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void) throws(HTTPError) {
        var taken = 0
        if !isOpen {
            if coding == .gzip {
                try open(windowBits: MAX_WBITS + 16)
            } else {
                while start.count < 2, taken < input.byteCount {
                    start.append(input.byte(at: taken))
                    taken += 1
                }
                guard start.count == 2 else { return }
                try open(windowBits: Self.isZlibHeader(start[0], start[1]) ? MAX_WBITS : -MAX_WBITS)
                let start = start
                try run(start.span.bytes, emit)
            }
        }
        try run(input.extracting(taken..<input.byteCount), emit)
    }

    func finish() throws(HTTPError) {
        guard isAtEnd else { throw malformed("it ends early") }
    }

    /// RFC 1950 section 2.2: compression method 8 and a check value over both bytes.
    private static func isZlibHeader(_ method: UInt8, _ flags: UInt8) -> Bool {
        method & 0x0F == 8 && method >> 4 <= 7 && (UInt16(method) << 8 | UInt16(flags)) % 31 == 0
    }

    private func open(windowBits: Int32) throws(HTTPError) {
        guard unsafe millrace_inflate_init(stream, windowBits) == Z_OK else { throw .noMemory }
        isOpen = true
    }

    private func run(_ input: RawSpan, _ emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void) throws(HTTPError) {
        try input.withUnsafeBytes { (bytes) throws(HTTPError) in
            let start = unsafe bytes.assumingMemoryBound(to: UInt8.self).baseAddress
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: start)
            stream.pointee.avail_in = UInt32(clamping: bytes.count)
            defer { unsafe stream.pointee.next_in = nil }
            var hasMore = !bytes.isEmpty
            while hasMore {
                if isAtEnd { try beginMember() }
                let (count, status) = step()
                guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else {
                    throw malformed(
                        unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "zlib error \(status)"
                    )
                }
                if count > 0 { try emit(piece[..<count]) }
                isAtEnd = status == Z_STREAM_END
                // A full piece may leave output inside zlib although all input is taken.
                hasMore = stream.pointee.avail_in > 0 || (count == Self.pieceBytes && !isAtEnd)
                if status == Z_BUF_ERROR && count == 0 { hasMore = false }
            }
        }
    }

    private func step() -> (count: Int, status: Int32) {
        piece.withUnsafeMutableBufferPointer { output in
            unsafe stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(clamping: output.count)
            let status = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
            unsafe stream.pointee.next_out = nil
            return (output.count - Int(stream.pointee.avail_out), status)
        }
    }

    private func beginMember() throws(HTTPError) {
        guard coding == .gzip else { throw malformed("bytes follow its end") }
        unsafe inflateReset(stream)
        isAtEnd = false
    }

    private func malformed(_ reason: String) -> HTTPError {
        HTTPError(.badRequest, "the body is not valid \(coding): \(reason)")
    }
}
