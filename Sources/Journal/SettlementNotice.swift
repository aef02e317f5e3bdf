import Synchronization

/// What became of a group that was followed to its end.
package enum Settlement: Sendable, Equatable {
    /// Every reader has finished every record of its log; by their position in the group, then by reader.
    case finished([FinishedRecord])
    /// It will not be known; the text says why.
    case unknown(String)
}

/// What one reader made of one record of a group.
package struct FinishedRecord: Sendable, Equatable {
    /// Its position in the group.
    package let entry: Int
    package let reader: ReaderID
    /// The sum is the number of its items.
    package let outcomes: OutcomeCounts
}

/// Follows one group that is appended until named readers have finished its records, in whatever way.
///
/// A group that does not become durable is not told about, nor is one of which a record was moved to another log
/// (`SettledRecord.isMoved`). One object for one group.
package final class SettlementNotice: Sendable {
    /// Groups of one log that are followed at once, counted by their records; beyond it the settlement is unknown.
    package static let recordsMax = 65_536

    private struct State {
        /// Records that readers have not finished, each counted once for each of them.
        var left = 0
        var finished: [FinishedRecord] = []
        /// Nil once it was told, or cancelled.
        var tell: (@Sendable (Settlement) -> Void)?
        /// Where its records are followed.
        var places: [(log: LogCore, ids: [UInt64])] = []
    }

    let readers: [ReaderID]
    private let state: Mutex<State>

    /// - Parameters:
    ///   - readers: Who has to finish the group's records; each those of its own log.
    ///   - tell: Called once, on any thread, maybe before the result of the commit; must not block.
    package init(readers: [ReaderID], _ tell: @escaping @Sendable (Settlement) -> Void) {
        self.readers = readers
        state = Mutex(State(tell: tell))
    }

    /// Tells nothing from now on, and leaves room for others; not with the lock of a log.
    package func cancel() {
        let places = state.withLock { state in
            defer { (state.tell, state.places) = (nil, []) }
            return state.places
        }
        for place in places { place.log.state.withLock { $0.followed.remove(place.ids, of: self) } }
    }

    /// Its records of one log are followed from when they can be read.
    func note(_ ids: [UInt64], in log: LogCore) {
        state.withLock { $0.places.append((log, ids)) }
    }

    /// Whether nothing will be asked of it any more: it was told, is being told, or was cancelled.
    ///
    /// Any thread. A settlement that readers have reached is being told from the moment on at which they count it as finished.
    package var isOver: Bool { state.withLock { $0.tell == nil } }

    /// The group is placed in its logs.
    ///
    /// - Returns: What is to be called where no reader has to finish anything.
    func begin(_ group: RecordGroup) -> SettlementCall? {
        let left = group.entries.reduce(0) { sum, entry in sum + readers.count { $0.log == entry.log } }
        return state.withLock { state in
            state.left = left
            return left == 0 ? Self.takeCall(&state) : nil
        }
    }

    /// A reader has finished a record.
    ///
    /// - Returns: What is to be called then, without a lock.
    func finish(_ record: FinishedRecord) -> SettlementCall? {
        state.withLock { state in
            state.left -= 1
            state.finished.append(record)
            return state.left == 0 ? Self.takeCall(&state) : nil
        }
    }

    private static func takeCall(_ state: inout State) -> SettlementCall? {
        defer { (state.tell, state.places) = (nil, []) }
        let finished = state.finished.sorted { ($0.entry, $0.reader.name) < ($1.entry, $1.reader.name) }
        return state.tell.map { SettlementCall(settlement: .finished(finished), tell: $0) }
    }

    /// It will not be known what became of the group.
    ///
    /// - Returns: What is to be called then, without a lock.
    func end(because reason: String) -> SettlementCall? {
        state.withLock { state in
            defer { state.tell = nil }
            return state.tell.map { SettlementCall(settlement: .unknown(reason), tell: $0) }
        }
    }
}

/// A settlement, and the function that it is told to.
struct SettlementCall: Sendable {
    fileprivate let settlement: Settlement
    fileprivate let tell: @Sendable (Settlement) -> Void

    /// Tells it; without a lock.
    func callAsFunction() { tell(settlement) }
}

/// The records of one log that are followed.
struct FollowedRecords: Sendable {
    /// A record, and the readers that have to finish it.
    struct Record: Sendable {
        let id: UInt64
        let items: UInt64
        /// Its position in its group.
        let entry: Int
        let notice: SettlementNotice
        /// Names of readers that have not finished it.
        var readers: [String]
    }

    /// By id.
    private var records: [UInt64: Record] = [:]
    private var calls: [SettlementCall] = []

    /// What is to be called since the last time, without a lock.
    mutating func takeCalls() -> [SettlementCall] {
        guard !calls.isEmpty else { return [] }
        defer { calls = [] }
        return calls
    }

    /// Follows a record that readers can see from now on; `isDefined` says which readers there are.
    mutating func add(_ record: Record, isDefined: (String) -> Bool) {
        // Whoever cancels later finds it here.
        guard !record.notice.isOver else { return }
        if records.count >= SettlementNotice.recordsMax {
            return end(record, because: "too many records are followed")
        }
        if let name = record.readers.first(where: { !isDefined($0) }) {
            return end(record, because: "there is no reader \(name)")
        }
        records[record.id] = record
    }

    /// How many there are.
    var count: Int { records.count }

    /// Follows them no more, as far as it is that notice that does.
    mutating func remove(_ ids: [UInt64], of notice: SettlementNotice) {
        // An id may be given again where what had it did not become durable.
        for id in ids where records[id]?.notice === notice { records[id] = nil }
    }

    /// A reader has settled the record of that id.
    mutating func finish(_ id: UInt64, as outcomes: OutcomeCounts, by reader: String, of log: LogID) {
        guard let record = records[id], let index = record.readers.firstIndex(of: reader) else { return }
        records[id]?.readers.remove(at: index)
        if record.readers.count == 1 { records[id] = nil }
        let finished = FinishedRecord(
            entry: record.entry,
            reader: ReaderID(reader, of: log),
            outcomes: outcomes.fitted(to: record.items)
        )
        if let call = record.notice.finish(finished) { calls.append(call) }
    }

    /// A reader has moved the record of that id to another log: what becomes of it there is not told.
    mutating func forget(_ id: UInt64, by reader: String) {
        guard let index = records[id]?.readers.firstIndex(of: reader) else { return }
        records[id]?.readers.remove(at: index)
        if records[id]?.readers.isEmpty == true { records[id] = nil }
    }

    /// Whether somebody waits for a reader to finish the record of that id.
    func awaits(_ id: UInt64, by reader: String) -> Bool {
        guard !records.isEmpty, let record = records[id] else { return false }
        return record.readers.contains(reader) && !record.notice.isOver
    }

    /// Records among `ids` expired for a reader or are lost to it.
    mutating func finish(all ids: Range<UInt64>, as outcomes: OutcomeCounts, by reader: String, of log: LogID) {
        for id in records.keys where ids.contains(id) { finish(id, as: outcomes, by: reader, of: log) }
    }

    /// A reader, or all of them where it is nil, finishes nothing any more.
    mutating func end(_ reader: String? = nil, because reason: String) {
        for record in records.values where reader.map(record.readers.contains) ?? true {
            records[record.id] = nil
            end(record, because: reason)
        }
    }

    private mutating func end(_ record: Record, because reason: String) {
        if let call = record.notice.end(because: reason) { calls.append(call) }
    }
}
