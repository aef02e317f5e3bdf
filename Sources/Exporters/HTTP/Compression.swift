import Synchronization

/// The `compression` setting of an exporter.
package enum CompressionSetting: String, Sendable, Hashable, CaseIterable {
    /// Always, except where the destination has refused it.
    case gzip
    /// The same with Zstandard.
    case zstd
    /// Never.
    case none
    /// Like `gzip`, but not to this machine, where it costs more than it saves; the default.
    case auto
}

/// Whether bodies for one destination are compressed, and what it has shown about that.
///
/// A 400 may mean that the destination cannot inflate, where it has inflated nothing yet, and a 415 means it also later, when it
/// is another version. Then the same body goes out once more as it is; where that is taken, the destination is remembered as one
/// without compression until it was away.
final class CompressionMemory: Sendable {
    private enum Knowledge {
        case unknown
        case takesCompressed
        case takesOnlyPlain
    }

    private let wanted: ContentCoding?
    private let knowledge = Mutex(Knowledge.unknown)

    init(_ setting: CompressionSetting, to endpoint: HTTPEndpoint) {
        wanted =
            switch setting {
            case .gzip: .gzip
            case .zstd: .zstd
            case .none: nil
            case .auto: endpoint.isLoopback ? nil : .gzip
            }
    }

    /// How the next body is to be compressed; nil for not at all.
    var coding: ContentCoding? { knowledge.withLock { $0 } == .takesOnlyPlain ? nil : wanted }

    /// Whether the answer to a compressed body may blame the compression alone.
    func mayBlameCompression(_ status: Int) -> Bool {
        status == 415 || status == 400 && isUntried
    }

    /// Whether the destination has shown neither that it reads compressed bodies nor that it does not.
    var isUntried: Bool { knowledge.withLock { $0 == .unknown } }

    /// The destination took a compressed body.
    func tookCompressed() { knowledge.withLock { $0 = .takesCompressed } }
    /// The destination refused a body compressed and took it plain.
    func tookOnlyPlain() { knowledge.withLock { $0 = .takesOnlyPlain } }
    /// The destination was away and may come back as another version.
    func wasUnreachable() { knowledge.withLock { $0 = .unknown } }
}

/// How a body is compressed on its way out, by its name in `Content-Encoding`.
enum ContentCoding: String, Sendable {
    case gzip, zstd

    /// The whole body compressed; nil where there is no memory for it.
    ///
    /// Takes milliseconds for each MiB.
    func compress(_ body: [UInt8]) -> [UInt8]? {
        switch self {
        case .gzip: Gzip.compress(body)
        case .zstd: Zstandard.compress(body)
        }
    }
}
