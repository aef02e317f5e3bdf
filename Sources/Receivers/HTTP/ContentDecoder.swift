import Basics
import OTLP

/// A content coding of request bodies (RFC 9110 section 8.4.1).
enum ContentCoding {
    /// One gzip member after the other.
    case gzip
    /// The zlib format; raw deflate, which many clients send instead, is recognised.
    case deflate
    /// One Zstandard frame after the other.
    case zstd

    /// What `Accept-Encoding` names.
    static let accepted: StaticString = "accept-encoding: gzip, deflate, zstd, identity"

    /// By its name in any letter case; nil for one that is unknown.
    init?(_ name: Substring) {
        if name.isHeader("gzip") || name.isHeader("x-gzip") {
            self = .gzip
        } else if name.isHeader("deflate") {
            self = .deflate
        } else if name.isHeader("zstd") || name.isHeader("x-zstd") {
            self = .zstd
        } else {
            return nil
        }
    }

    /// Names among these that are understood although nothing lists them as codings of OTLP.
    static func deviations(in names: some Sequence<Substring>) -> DeviationCounts {
        var counts = DeviationCounts()
        for name in names {
            if name.isHeader("x-gzip") { counts.xGzip += 1 }
            if name.isHeader("x-zstd") { counts.xZstd += 1 }
        }
        return counts
    }

    fileprivate func makeInflater() -> any StreamInflater {
        switch self {
        case .gzip, .deflate: Inflater(self)
        case .zstd: ZstandardInflater()
        }
    }
}

/// Undoes one coding while a body arrives.
protocol StreamInflater: AnyObject {
    /// What it holds besides the body; may grow with what it has read.
    var workingBytes: Int { get }

    /// Inflates all of `input`; `emit` gets the output in pieces.
    func inflate(_ input: RawSpan, emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void) throws(HTTPError)

    /// Checks that the body did not end early.
    func finish() throws(HTTPError)
}

/// Undoes the codings of a body, one after the other, while it arrives.
final class ContentDecoder {
    private let stages: [any StreamInflater]
    private let limit: ByteCount
    /// Bytes that each stage made, for a bound on what lies between stages too.
    private var produced: [Int]

    /// - Parameters:
    ///   - codings: In the order in which they are undone.
    ///   - limit: The most that any of them may produce.
    init(_ codings: [ContentCoding], limit: ByteCount) {
        stages = codings.map { $0.makeInflater() }
        self.limit = limit
        produced = Array(repeating: 0, count: codings.count)
    }

    /// What it holds besides the body.
    var workingBytes: Int { stages.reduce(0) { $0 + $1.workingBytes } }

    /// Decodes the next bytes; `emit` gets what they become, in pieces.
    func decode(_ input: RawSpan, emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void) throws(HTTPError) {
        try run(0, input, emit)
    }

    /// Checks that the body did not end early.
    func finish() throws(HTTPError) {
        for stage in stages { try stage.finish() }
    }

    private func run(
        _ stage: Int,
        _ input: RawSpan,
        _ emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void
    ) throws(HTTPError) {
        try stages[stage].inflate(input) { (chunk) throws(HTTPError) in
            produced[stage] += chunk.count
            guard produced[stage] <= limit.bytes else { throw .tooLarge(limit) }
            if stage + 1 < stages.count {
                try run(stage + 1, chunk.span.bytes, emit)
            } else {
                try emit(chunk)
            }
        }
    }
}
