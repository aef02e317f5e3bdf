import Synchronization

/// The `compression` setting of an exporter.
package enum CompressionSetting: String, Sendable, Hashable, CaseIterable {
    /// Always, except where the destination has refused it.
    case gzip
    /// Never.
    case none
    /// Like `gzip`, but not to this machine, where it costs more than it saves; the default.
    case auto
}

/// Whether bodies for one destination are compressed, and what it has shown about that.
///
/// A 400 or 415 may mean that the destination cannot inflate, so the same body goes out once more as it is; where that
/// is taken, the destination is remembered as one without gzip until it was away.
final class CompressionMemory: Sendable {
    private enum Knowledge {
        case unknown
        case takesGzip
        case refusesGzip
    }

    private let wanted: Bool
    private let knowledge = Mutex(Knowledge.unknown)

    init(_ setting: CompressionSetting, to endpoint: HTTPEndpoint) {
        switch setting {
        case .gzip: wanted = true
        case .none: wanted = false
        case .auto: wanted = !endpoint.isLoopback
        }
    }

    /// Whether the next body is to be compressed.
    var isOn: Bool { wanted && knowledge.withLock { $0 != .refusesGzip } }

    /// Whether the answer to a compressed body may blame the compression alone.
    func mayBlameCompression(_ status: Int) -> Bool {
        (status == 400 || status == 415) && knowledge.withLock { $0 == .unknown }
    }

    /// The destination took a compressed body.
    func tookCompressed() { knowledge.withLock { $0 = .takesGzip } }
    /// The destination refused a body compressed and took it plain.
    func tookOnlyPlain() { knowledge.withLock { $0 = .refusesGzip } }
    /// The destination was away and may come back as another version.
    func wasUnreachable() { knowledge.withLock { $0 = .unknown } }
}
