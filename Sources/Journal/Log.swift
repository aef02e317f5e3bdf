import Basics
import Logging
import Synchronization

/// One log of the journal.
package final class Log: Sendable {
    /// The pipeline's name.
    package let name: String
    package let role: LogDefinition.Role
    /// In the order of their definitions.
    package let readers: [LogReader]
    let core: LogCore

    /// The log of `core`, whose first readers are those of its definition.
    init(_ core: LogCore, _ definition: LogDefinition) {
        self.name = core.name
        self.role = core.role
        self.core = core
        self.readers = definition.readers.enumerated().map { index, reader in
            LogReader(name: reader.name, core: core, index: index)
        }
    }

    /// The reader of that name.
    package func reader(named name: String) -> LogReader? { readers.first { $0.name == name } }

    package var statistics: LogStatistics { core.state.withLock { $0.statistics } }

    /// The log and the accounts of its readers, in their order, at one moment.
    package var snapshot: (statistics: LogStatistics, accounts: [ReaderAccount]) {
        core.state.withLock { state in (state.statistics, readers.indices.map { state.account(of: $0) }) }
    }
}

/// What the threads of one log share.
final class LogCore: Sendable {
    let name: String
    let role: LogDefinition.Role
    /// The smallest of its readers; nil where none is limited.
    let backlogBytesMin: Int?
    let directory: String
    let fileSystem: any FileSystem
    let state: Mutex<LogState>
    /// Reads segments.
    let readThread: SerialThread
    /// Wakes the journal's thread.
    let signal: ThreadSignal
    let logger: Logger

    init(
        name: String,
        role: LogDefinition.Role,
        directory: String,
        fileSystem: any FileSystem,
        state: LogState,
        readThread: SerialThread,
        signal: ThreadSignal,
        logger: Logger
    ) {
        self.name = name
        self.role = role
        self.backlogBytesMin = state.readers.compactMap { $0.backlog?.maxBytes.bytes }.min()
        self.directory = directory
        self.fileSystem = fileSystem
        self.state = Mutex(state)
        self.readThread = readThread
        self.signal = signal
        self.logger = logger
    }

    /// What messages call it.
    var title: String {
        if case .deadLetters(let exporter, _) = role { "\(name), dead letters of \(exporter)" } else { name }
    }
}
