package import Basics

/// What a reader has done with what its log accepted.
///
/// `accepted + created == outcomes.sum + queued`, at every moment.
package struct ReaderAccount: Sendable, Equatable {
    /// When the account was opened.
    package let since: UnixTime
    /// Items that the log has accepted since then.
    package let accepted: UInt64
    package let outcomes: OutcomeCounts
    /// Items not finished yet.
    package let queued: UInt64
    /// Items among `outcomes` that take no id, because nobody sent them.
    package var created: UInt64 { outcomes.sum + queued - accepted }
    /// Those of `queued` that are dead letters, which stay until somebody settles them; zero in ordinary logs.
    package let held: UInt64
    /// When the oldest of the others was received, to about a second; nil when there are none.
    package let oldestQueued: UnixTime?
}

/// The state of one log.
package struct LogStatistics: Sendable, Equatable {
    /// Items accepted since the log was created.
    package let acceptedItems: UInt64
    /// Of all its segments, preallocated space included.
    package let bytes: Int
    /// What records take of them.
    package let filledBytes: Int
    package let segments: Int
    /// Items found destroyed by disk damage since the process started.
    package let lostItems: UInt64
    /// The first id that is still stored.
    package let firstID: UInt64
    /// The id that follows the last readable one.
    package let nextID: UInt64
}

/// A log and the accounts of its readers at one moment.
package struct LogSnapshot: Sendable {
    package let statistics: LogStatistics
    /// By their names and in the order of their definitions.
    package let accounts: [(reader: String, account: ReaderAccount)]
    /// Those of its readers that settle in an order of their own (`ReaderDefinition.isWindow`).
    package let windows: [String]

    /// The account of one of its readers; nil where it has no reader of that name.
    package func account(of reader: String) -> ReaderAccount? { accounts.first { $0.reader == reader }?.account }
}

/// A reader that has a cursor and is not defined.
///
/// It keeps its segments until `Journal.abandon(reader:)`; one that had finished everything counts as abandoned.
package struct VanishedReader: Sendable, Equatable {
    package let log: LogID
    package let name: String
    package let account: ReaderAccount
    /// Whether it was given up: its account stays as it is and holds nothing back.
    package let abandoned: Bool
    /// Whether it settled in an order of its own (`ReaderDefinition.isWindow`).
    package let isWindow: Bool
}

/// Why a journal cannot be opened; `message` is for the operator.
package struct JournalError: Error, Sendable, CustomStringConvertible {
    /// What the operator has to do about it.
    package enum Code: Sendable, Equatable {
        /// End the other process.
        case inUse
        /// Use the version of Millrace that wrote it.
        case foreignFormat
        /// Repair the directory or its permissions.
        case unusable
    }

    package let code: Code
    package let message: String

    package var description: String { message }

    /// What the operator is told of a failed operation.
    init(unusable directory: String, _ error: FileSystemError) {
        let advice = error.advice.map { "; \($0)" } ?? ""
        self.init(code: .unusable, message: "the journal in \(directory) cannot be used: \(error)\(advice)")
    }

    init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    static let closed = JournalError(code: .unusable, message: "the journal is closed")
}

extension JournalError: Equatable {
    package static func == (lhs: JournalError, rhs: JournalError) -> Bool { lhs.code == rhs.code }
}
