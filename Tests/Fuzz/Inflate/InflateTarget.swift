import Basics
import CZlib
import OTLP

@testable import Receivers

/// Content codings with limits.
///
/// The first byte chooses the codings, the second the limit, eight more the pieces in which
/// the rest arrives.
enum InflateTarget: FuzzTarget {
    private static let headBytes = 10
    private static let codings: [[ContentCoding]] = [
        [.gzip], [.deflate], [.gzip, .gzip], [.gzip, .deflate], [.deflate, .gzip], [.deflate, .deflate],
    ]

    /// What became of a body.
    private struct Outcome {
        var bytes: [UInt8] = []
        var isRefused = false
    }

    static func run(_ input: [UInt8]) {
        guard input.count >= headBytes else { return }
        let formats = codings[Int(input[0]) % codings.count]
        let limit = 1 << (8 + Int(input[1]) % 12)
        let (seed, body) = Array(input[2...]).seeded
        let whole = inflate(body, formats, limit) { $0 }
        var random = SeededGenerator(seed: seed)
        let most = [1, 3, 20, 500, 40_000][random.below(5)]
        let inPieces = inflate(body, formats, limit) { min($0, 1 + random.below(most)) }
        require(whole.isRefused == inPieces.isRefused, "whether a body is refused depends on its pieces")
        if !whole.isRefused { require(whole.bytes == inPieces.bytes, "a body depends on its pieces") }
        guard formats.count == 1, formats[0] == .gzip else { return }
        let file = try? gunzip(body, max: ByteCount(bytes: limit))
        require(file == (whole.isRefused ? nil : whole.bytes), "gunzip says something else")
        if let reference = reference(body, limit) {
            require(!whole.isRefused && whole.bytes == reference, "zlib's own loop says something else")
        }
    }

    private static func inflate(
        _ body: [UInt8],
        _ formats: [ContentCoding],
        _ limit: Int,
        _ size: (Int) -> Int
    ) -> Outcome {
        // Each stage may make as much as the limit allows, whatever small body it comes from.
        let work = body.count + limit * formats.count
        let working = formats.count * 96_000
        return Cost.watch("inflating", body: work, heapMax: working + 3 * limit + body.count + 64 << 10) {
            decode(body, formats, limit, size)
        }
    }

    private static func decode(
        _ body: [UInt8],
        _ formats: [ContentCoding],
        _ limit: Int,
        _ size: (Int) -> Int
    ) -> Outcome {
        let decoder = ContentDecoder(formats, limit: ByteCount(bytes: limit))
        var outcome = Outcome()
        do throws(HTTPError) {
            var offset = 0
            while offset < body.count {
                let end = min(body.count, offset + max(1, size(body.count - offset)))
                let piece = Array(body[offset..<end])
                try decoder.decode(piece.span.bytes) { chunk in
                    outcome.bytes += chunk
                    require(outcome.bytes.count <= limit, "more is inflated than the limit allows")
                }
                offset = end
            }
            try decoder.finish()
        } catch {
            outcome.isRefused = true
        }
        return outcome
    }

    /// One gzip member by zlib in one call; nil where it is no such thing.
    private static func reference(_ body: [UInt8], _ limit: Int) -> [UInt8]? {
        var stream = z_stream()
        var (input, output) = (body, [UInt8](repeating: 0, count: limit))
        guard millrace_inflate_init(&stream, 31) == Z_OK else { return nil }
        defer { inflateEnd(&stream) }
        return input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                guard CZlib.inflate(&stream, Z_FINISH) == Z_STREAM_END, stream.avail_in == 0 else { return nil }
                return Array(target[..<(limit - Int(stream.avail_out))])
            }
        }
    }

    static func mutate(_ input: [UInt8], with other: [UInt8], max: Int, _ random: inout SeededGenerator) -> [UInt8] {
        guard input.count >= headBytes, max > headBytes else {
            return [UInt8(random.below(6)), 11] + deflated(Array("body".utf8), .gzip, &random).seeded(random.next())
        }
        var head = Array(input[..<headBytes])
        var body = Array(input[headBytes...])
        let room = max - headBytes
        let formats = codings[Int(head[0]) % codings.count]
        switch random.below(9) {
        case 0: head[0] = UInt8(random.below(codings.count))
        case 1: head[1] = UInt8(random.below(12))
        case 2: head = Array(head[..<2]) + [UInt8]().seeded(random.next())
        case 3: body = mutateBytes(body, max: room)
        case 4: body += other.count > headBytes ? Array(other[headBytes...]) : body
        case 5: body += deflated([UInt8](repeating: 0, count: random.below(3000)), formats[0], &random)
        case 6 where !body.isEmpty: body.removeLast(random.below(body.count))
        case 7:
            let empty = deflated([], formats[0], &random)
            for _ in 0..<[1, 10, 2000][random.below(3)] where body.count < room / 2 { body += empty }
        default:
            var plain = decode(body, formats, 1 << 17) { $0 }.bytes
            plain = random.chance(50) ? mutateBytes(plain, max: 4096) : plain + plain.reversed()
            for format in formats.reversed() { plain = deflated(plain, format, &random) }
            body = plain
        }
        return head + body
    }

    /// Compresses, in one of the forms that the format has.
    static func deflated(_ bytes: [UInt8], _ format: ContentCoding, _ random: inout SeededGenerator) -> [UInt8] {
        var stream = z_stream()
        var (input, output) = (bytes, [UInt8](repeating: 0, count: bytes.count + bytes.count / 500 + 64))
        let windowBits: Int32 = format == .gzip ? 31 : random.chance(50) ? 15 : -15
        guard millrace_deflate_init(&stream, Int32(random.below(10)), windowBits) == Z_OK else { return [] }
        defer { deflateEnd(&stream) }
        let left = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                _ = deflate(&stream, Z_FINISH)
                return Int(stream.avail_out)
            }
        }
        return Array(output.dropLast(left))
    }
}
