import Basics
import Synchronization

/// Settings with secrets in them.
protocol SecretHolder: Sendable, Equatable {
    /// The same with its secrets as they are now; blocks for the disk.
    func read() -> Self
}

/// Settings whose secrets are read again where somebody refuses them, for all who use them.
final class CurrentSecrets<Holder: SecretHolder>: Sendable {
    /// A reading of the secrets.
    struct Version: Sendable {
        fileprivate let number: Int
        let holder: Holder
    }

    private let files: SerialThread
    private let state: Mutex<Version>

    /// - Parameters:
    ///   - holder: The settings as the pipeline file has them.
    ///   - files: Reads files.
    init(_ holder: Holder, files: SerialThread) {
        self.files = files
        state = Mutex(Version(number: 0, holder: holder))
    }

    var current: Version { state.withLock { $0 } }

    /// Reads the secrets again, unless others did so after `refused` was current; whether they are other ones now.
    func renew(after refused: Version) async -> Bool {
        guard current.number == refused.number else { return true }
        let read = await files.run { refused.holder.read() }
        return state.withLock { current in
            guard current.number == refused.number else { return true }
            guard read != current.holder else { return false }
            current = Version(number: current.number + 1, holder: read)
            return true
        }
    }
}
