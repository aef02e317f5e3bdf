package import Journal
import OTLP

/// The accounts of the destinations of one signal of a pipeline, from all logs on their ways.
struct AccountBook {
    /// Items that the pipeline has accepted.
    private(set) var accepted: UInt64 = 0
    /// Whether some of them go, or went, through a window.
    private(set) var hasWindow = false
    private(set) var rows: [(name: String, account: DestinationAccount)] = []

    /// The accounts as they stand in a journal, at one moment.
    ///
    /// - Parameters:
    ///   - front: The log that requests are accepted in.
    ///   - journal: Holds it.
    ///   - vanished: Readers of its logs that are no longer defined.
    init(of front: Log, in journal: Journal, vanished: [VanishedReader]) {
        let behind = front.id.signal == .traces ? journal.log(LogID(windowOf: front.id.pipeline)) : nil
        // Read first: what becomes a dead letter meanwhile is then still counted where it was.
        let logs = [front, behind].compactMap { $0 }
        let aside = logs.flatMap { log in
            log.readers.map { (ReaderID($0.name, of: log.id), journal.asideAccounts(of: $0.name, in: log.id)) }
        }
        let asideOf = Dictionary(uniqueKeysWithValues: aside)
        let moment = behind.map { $0.snapshot(with: front) }
        let (own, source) = (moment?.own, moment?.source ?? front.snapshot)
        accepted = source.statistics.acceptedItems
        let windows = source.windows.compactMap(source.account) + vanished.filter(\.isWindow).map(\.account)
        hasWindow = !windows.isEmpty
        var vanished = vanished
        for (name, account) in source.accounts {
            if !source.windows.contains(name) {
                let aside = asideOf[ReaderID(name, of: front.id)] ?? []
                let past = PastAccount(takenOutOf: &vanished, of: name, front.id.counterpart)
                let all = past.aside + aside
                add(name, DestinationAccount(account, past: past.main, aside: all, behind: past.windows))
            } else if front.id.signal != .traces {
                add(name, DestinationAccount(joining: account))
            }
        }
        for (name, account) in own?.accounts ?? [] {
            let aside = behind.flatMap { asideOf[ReaderID(name, of: $0.id)] } ?? []
            let past = PastAccount(takenOutOf: &vanished, of: name, front.id)
            add(name, DestinationAccount(account, past: past.main, aside: past.aside + aside, behind: windows))
        }
        add(vanished, behind: windows)
    }

    /// The accounts of readers whose logs are no longer defined.
    init(_ vanished: [VanishedReader]) {
        let windows = vanished.filter(\.isWindow).map(\.account)
        hasWindow = !windows.isEmpty
        add(vanished, behind: windows)
        accepted = rows.map(\.account.accepted).max() ?? 0
    }

    private mutating func add(_ vanished: [VanishedReader], behind windows: [ReaderAccount]) {
        let logs = Dictionary(grouping: vanished.filter { !$0.isWindow }) { ReaderID($0.name, of: $0.log.main) }
        for (id, readers) in logs.sorted(by: { ($0.key.name, $0.key.log.name) < ($1.key.name, $1.key.log.name) }) {
            guard let main = readers.first(where: { $0.log.kind == .pipeline }) else { continue }
            let aside = readers.filter { $0.log.kind != .pipeline }.map(\.account)
            // Nothing waits for one that was given up.
            let windows = id.log.isWindow && !main.abandoned ? windows : []
            add(id.name, DestinationAccount(main.account, aside: aside, behind: windows))
        }
        for window in vanished where window.isWindow && window.log.signal != .traces {
            add(window.name, DestinationAccount(joining: window.account))
        }
    }

    /// Adds to a destination's row; one that is in several logs has one row.
    private mutating func add(_ name: String, _ account: DestinationAccount) {
        if let index = rows.firstIndex(where: { $0.name == name }) {
            rows[index].account.add(account)
        } else {
            rows.append((name, account))
        }
    }
}

/// The accounts of an exporter in the log that it read before a window came or went: its dead letters may be replayed in the other.
private struct PastAccount {
    private(set) var main: ReaderAccount?
    private(set) var aside: [ReaderAccount] = []
    /// Of the window that was before that log.
    private(set) var windows: [ReaderAccount] = []

    /// What is found there leaves the list, which has the readers of all logs that nobody reads any more.
    init(takenOutOf vanished: inout [VanishedReader], of name: String, _ log: LogID?) {
        let own = vanished.filter { !$0.isWindow && $0.name == name && $0.log.main == log }
        guard let main = own.first(where: { $0.log.kind == .pipeline }) else { return }
        self.main = main.account
        aside = own.filter { $0.log.kind != .pipeline }.map(\.account)
        // Nothing waits for one that was given up.
        if main.log.isWindow, !main.abandoned { windows = vanished.filter(\.isWindow).map(\.account) }
        vanished.removeAll { !$0.isWindow && $0.name == name && $0.log.main == log }
    }
}

extension Journal {
    /// The logs of pipelines, in the order of the pipeline file; those of single exporters left out.
    package var pipelines: [Log] { logs.filter { $0.id.kind == .pipeline } }

    /// What became of the items of one reader of a pipeline's log, its dead letters included, and of what waits for it before a window.
    package func account(of reader: LogReader, in log: LogID) -> DestinationAccount {
        var vanished = vanishedReaders.filter { $0.log.main.front == log.front }
        let past = PastAccount(takenOutOf: &vanished, of: reader.name, log.counterpart)
        let aside = past.aside + asideAccounts(of: reader.name, in: log)
        guard log.isWindow, let own = self.log(log), let front = self.log(log.front) else {
            return DestinationAccount(reader.account, past: past.main, aside: aside, behind: past.windows)
        }
        let moment = own.snapshot(with: front)
        let windows = moment.source.windows.compactMap(moment.source.account)
        let account = moment.own.account(of: reader.name) ?? reader.account
        return DestinationAccount(account, past: past.main, aside: aside, behind: windows)
    }

    /// The accounts of an exporter's own logs.
    ///
    /// Parked records first: they become dead letters, and dead letters are parked only when they are replayed.
    fileprivate func asideAccounts(of exporter: String, in main: LogID) -> [ReaderAccount] {
        // One that refuses nothing any more may have letters from before.
        [LogID(parkedBy: exporter, in: main), LogID(deadLettersOf: exporter, in: main)]
            .compactMap { storedLog($0)?.storedReader(named: exporter)?.account }
    }
}
