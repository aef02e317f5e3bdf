import Basics
import Logging
import Synchronization

/// One log of the journal.
package final class Log: Sendable {
    package let id: LogID
    package let role: LogDefinition.Role
    let core: LogCore

    init(_ core: LogCore) {
        id = core.id
        role = core.role
        self.core = core
    }

    /// The readers that are defined now, in the order of their definitions.
    package var readers: [LogReader] {
        core.state.withLock { state in
            state.readers.indices.filter { state.readers[$0].isDefined }.map { index in
                LogReader(state.readers[index], core: core, index: index)
            }
        }
    }

    /// The reader of that name; nil where none is defined.
    package func reader(named name: String) -> LogReader? { readers.first { $0.name == name } }

    /// The reader of that name whether it is defined or not; nil where there was never one.
    ///
    /// One that is not defined is given nothing, and settles what it is told to.
    package func storedReader(named name: String) -> LogReader? {
        core.state.withLock { state in
            state.readers.firstIndex { $0.name == name }.map { LogReader(state.readers[$0], core: core, index: $0) }
        }
    }

    /// The ids behind the segments that get nothing more, ascending: what is unfinished below keeps them on the disk.
    package var sealedEnds: [UInt64] { core.state.withLock { $0.segments.filter(\.sealed).map(\.endID) } }

    package var statistics: LogStatistics { core.state.withLock { $0.statistics } }

    /// The log and the accounts of its readers at one moment.
    package var snapshot: LogSnapshot { core.state.withLock { $0.snapshot } }

    /// The same of this log and of the one that its records are moved from: at one moment, so that nothing is in both or in neither.
    package func snapshot(with source: Log) -> (own: LogSnapshot, source: LogSnapshot) {
        // In the order in which a move locks them.
        core.state.withLock { state in
            (state.snapshot, source.core.state.withLock { $0.snapshot })
        }
    }

    /// Readers with a cursor that are not defined.
    var vanishedReaders: [VanishedReader] {
        core.state.withLock { state in
            state.readers.indices.filter { !state.readers[$0].isDefined }.map { index in
                VanishedReader(
                    log: id,
                    name: state.readers[index].name,
                    account: state.account(of: index),
                    abandoned: state.readers[index].cursor.closedID != nil,
                    isWindow: state.readers[index].isWindow
                )
            }
        }
    }
}

/// What the threads of one log share.
final class LogCore: Sendable {
    let id: LogID
    let role: LogDefinition.Role
    /// The log that its records are moved from.
    let source: LogID?
    let directory: String
    let fileSystem: any FileSystem
    let state: Mutex<LogState>
    /// Notes that outlive its records; nil where nobody asked for them.
    let notes = Mutex<LogNotes?>(nil)
    /// Reads segments.
    let readThread: SerialThread
    /// Wakes the journal's thread.
    let signal: ThreadSignal
    let logger: Logger

    init(
        id: LogID,
        role: LogDefinition.Role,
        source: LogID?,
        directory: String,
        fileSystem: any FileSystem,
        state: LogState,
        readThread: SerialThread,
        signal: ThreadSignal,
        logger: Logger
    ) {
        self.id = id
        self.role = role
        self.source = source
        self.directory = directory
        self.fileSystem = fileSystem
        self.state = Mutex(state)
        self.readThread = readThread
        self.signal = signal
        self.logger = logger
    }

    /// Whether somebody reads it.
    var isDefined: Bool { state.withLock { $0.readers.contains(where: \.isDefined) } }

    /// Changes the state, then tells of followed groups that ended by that.
    func update<Result: Sendable, Failure: Error>(
        _ body: (inout LogState) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let (result, calls) = try state.withLock { state throws(Failure) in
            (try body(&state), state.followed.takeCalls())
        }
        for call in calls { call() }
        return result
    }
}
