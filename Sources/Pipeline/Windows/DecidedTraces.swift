import Basics
import Journal
import OTLP
import Synchronization

/// Traces that were decided, for a while and as many as there is room for: 16 bytes each.
///
/// A trace is told by a fingerprint, which depends on a secret: those of others cannot be made to look the same. It is remembered
/// from when it was decided, or seen last. There are two generations; where there is no more room, or the younger one is as old as a
/// trace is remembered, the elder one is forgotten. What is to outlive the process is handed out as slots for `LogNotes`.
struct DecidedTraces: Sendable {
    /// What one takes.
    static let entryBytes = MemoryLayout<Entry>.stride

    /// Zero stands for a place that is free.
    private struct Entry: Sendable {
        var print: UInt64 = 0
        /// When it was seen last, in seconds of the table's own clock.
        var seconds: UInt32 = 0
        /// Its route and its verdict, by their numbers; zero for none.
        var route: UInt16 = 0
        var verdict: UInt16 = 0
    }

    private let remember: Int64
    private let countMax: Int
    private let hash: SipHash
    private var young: Generation
    private var old: Generation
    private var since: Int64
    /// What the table's clock shows more than that of its owner, in nanoseconds: so it shows the same in the next process.
    private let offset: Int64
    private var routes = NumberedTexts(kind: 0)
    private var verdicts = NumberedTexts(kind: 1)
    /// What is to be written.
    private(set) var unwritten: [DecidedNote] = []

    /// - Parameters:
    ///   - remember: For how long, in nanoseconds.
    ///   - bytesMax: Bytes that all may take.
    ///   - key: The secret; the same as long as what was written is to be known.
    ///   - offset: Nanoseconds to add to the owner's time.
    init(
        remember: Int64,
        bytesMax: Int,
        key: (UInt64, UInt64) = (.random(in: 0 ... .max), .random(in: 0 ... .max)),
        offset: Int64 = 0
    ) {
        self.remember = remember
        self.offset = offset
        hash = SipHash(key: key)
        countMax = max(2, bytesMax / Self.entryBytes / 2 * 7 / 8)
        (young, old) = (Generation(countMax: countMax), Generation(countMax: countMax))
        since = offset
    }

    /// The share of `memory` that they get: one part of so many.
    private static let share = 4

    /// - Parameters:
    ///   - settings: Of the window.
    ///   - key: The secret.
    ///   - offset: Nanoseconds to add to the owner's time.
    init(
        _ settings: WindowSettings,
        key: (UInt64, UInt64) = (.random(in: 0 ... .max), .random(in: 0 ... .max)),
        offset: Int64 = 0
    ) {
        self.init(
            remember: settings.remember.wholeNanoseconds,
            bytesMax: settings.memoryMax.bytes / Self.share,
            key: key,
            offset: offset
        )
    }

    var memoryBytes: Int { (young.capacity + old.capacity) * Self.entryBytes + routes.bytes + verdicts.bytes }

    /// Takes in what an earlier process wrote, the elder file first; before anything else.
    mutating func restore(_ files: [[UInt8]], at now: Int64) {
        for (index, file) in files.enumerated() {
            if index > 0 { (old, young) = (young, Generation(countMax: countMax)) }
            read(file, newest: seconds(offset(now)))
        }
        since = files.isEmpty ? since : offset(now)
        // What follows is written behind them: their texts have to be said again.
        routes.forgetWritten()
        verdicts.forgetWritten()
    }

    /// A trace was decided; what came of it is not known yet.
    mutating func insert(_ key: TraceKey, at now: Int64) {
        let now = offset(now)
        age(at: now)
        young.put(Entry(print: print(key), seconds: seconds(now)))
    }

    /// Whether a trace was decided; it is remembered longer for that.
    mutating func contains(_ key: TraceKey, at now: Int64) -> Bool {
        let now = offset(now)
        age(at: now)
        let print = print(key)
        guard var entry = young.find(print) ?? old.find(print) else { return false }
        let time = seconds(now)
        guard Int64(time) - Int64(entry.seconds) <= wholeSeconds else { return false }
        guard entry.seconds != time else { return true }
        // On the disk as often as it takes to be found there.
        let step = max(1, wholeSeconds / 4)
        let isOld = Int64(time) / step != Int64(entry.seconds) / step || young.find(print) == nil
        let isWritten = entry.route != 0 || entry.verdict != 0
        entry.seconds = time
        young.put(entry)
        if isWritten, isOld { write(entry) }
        return true
    }

    /// Notes what came of a trace that was decided.
    mutating func note(_ outcome: DecidedOutcome, of key: TraceKey) {
        let print = print(key)
        guard var entry = young.find(print) ?? old.find(print) else { return }
        set(outcome, &entry)
        young.put(entry)
    }

    /// What came of a trace, as far as it is known.
    func outcome(of key: TraceKey) -> DecidedOutcome? {
        let print = print(key)
        guard let entry = young.find(print) ?? old.find(print) else { return nil }
        let outcome = DecidedOutcome(
            route: routes[entry.route].flatMap { text in
                var bytes = text[...]
                return Route(popping: &bytes)
            },
            verdict: verdicts[entry.verdict].flatMap { text in
                var bytes = text[...]
                return TraceVerdict(popping: &bytes)
            }
        )
        return outcome == DecidedOutcome() ? nil : outcome
    }

    /// What came of a trace is to outlive the process.
    mutating func keep(_ outcome: DecidedOutcome, of key: TraceKey, at now: Int64) {
        let now = offset(now)
        age(at: now)
        let print = print(key)
        var entry = young.find(print) ?? old.find(print) ?? Entry(print: print)
        entry.seconds = seconds(now)
        set(outcome, &entry)
        young.put(entry)
        write(entry)
    }

    /// What is to be written since the last time.
    mutating func takeUnwritten() -> [DecidedNote] {
        defer { unwritten = [] }
        return unwritten
    }

    private mutating func set(_ outcome: DecidedOutcome, _ entry: inout Entry) {
        if let route = outcome.route {
            var text: [UInt8] = []
            route.append(to: &text)
            entry.route = routes.number(of: text)
        }
        if let verdict = outcome.verdict {
            var text: [UInt8] = []
            verdict.append(to: &text)
            entry.verdict = verdicts.number(of: text)
        }
    }

    private mutating func age(at now: Int64) {
        guard now - since > remember || young.count >= countMax else { return }
        old = now - since > 2 * remember && young.count < countMax ? Generation(countMax: countMax) : young
        young = Generation(countMax: countMax)
        since = now
        let used = old.entries.reduce(into: (Set<UInt16>(), Set<UInt16>())) { used, entry in
            guard entry.print != 0 else { return }
            used.0.insert(entry.route)
            used.1.insert(entry.verdict)
        }
        routes.keep(used.0)
        verdicts.keep(used.1)
        unwritten.append(.turn)
    }

    private func offset(_ now: Int64) -> Int64 { now.addingReportingOverflow(offset).partialValue }

    private func seconds(_ now: Int64) -> UInt32 { UInt32(clamping: now / 1_000_000_000) }

    private var wholeSeconds: Int64 { remember / 1_000_000_000 + (remember % 1_000_000_000 > 0 ? 1 : 0) }

    private func print(_ key: TraceKey) -> UInt64 {
        let print = hash.hash([key.trace.high, key.trace.low], (key.identity ?? "").utf8)
        return print == 0 || print == NumberedTexts.mark ? 1 : print
    }
}

extension DecidedTraces {
    /// Those of earlier processes, as far as they are noted beside a log; the calling thread waits for the disk.
    static func open(
        _ settings: WindowSettings,
        beside log: Log?,
        at moment: Duration
    ) -> (traces: DecidedTraces, notes: LogNotes?) {
        guard let log else { return (DecidedTraces(settings), nil) }
        let (notes, content) = LogNotes.open(beside: log)
        let now = moment.wholeNanoseconds
        let offset = Int64(clamping: WallClock.system.now().nanoseconds) - now
        var traces = DecidedTraces(settings, key: notes.key, offset: offset)
        traces.restore(content.files, at: now)
        return (traces, notes)
    }
}

extension WindowStage {
    /// Has written what is to be known of decided traces in the next process.
    func writeNotes() {
        let writes = state.withLock { $0.window.decided.takeUnwritten() }
        guard let notes, !writes.isEmpty else { return }
        for write in writes {
            switch write {
            case .slots(let slots): notes.write(slots)
            case .turn: notes.turn()
            }
        }
        journal.flush(notes)
    }
}

// Slots on the disk: a text (`NumberedTexts`), or the fingerprint, the seconds, the numbers of route and verdict.
extension DecidedTraces {
    private mutating func write(_ entry: Entry) {
        var slots = routes.unwritten(entry.route) + verdicts.unwritten(entry.verdict)
        slots.append(word: entry.print)
        let numbers = UInt64(entry.route) << 32 | UInt64(entry.verdict) << 48
        slots.append(word: UInt64(entry.seconds) | numbers)
        if case .slots(let before) = unwritten.last {
            unwritten[unwritten.count - 1] = .slots(before + slots)
        } else {
            unwritten.append(.slots(slots))
        }
    }

    private mutating func read(_ file: [UInt8], newest: UInt32) {
        let bytes = file.span.bytes
        // The numbers that the file gives.
        var (routeNumbers, verdictNumbers): ([UInt16: UInt16], [UInt16: UInt16]) = ([:], [:])
        var position = 0
        while position + LogNotes.slotBytes <= file.count {
            let print = bytes.word(at: position)
            let rest = bytes.word(at: position + 8)
            position += LogNotes.slotBytes
            if print == NumberedTexts.mark {
                guard let text = NumberedTexts.Written(rest, in: file, from: position) else { continue }
                position = text.end
                if text.kind == 0 {
                    routeNumbers[text.number] = routes.number(of: text.bytes)
                } else {
                    verdictNumbers[text.number] = verdicts.number(of: text.bytes)
                }
                continue
            }
            guard print != 0, young.count < countMax else { continue }
            let entry = Entry(
                print: print,
                // A clock that was set back must not make it last.
                seconds: min(UInt32(truncatingIfNeeded: rest), newest),
                route: routeNumbers[UInt16(truncatingIfNeeded: rest >> 32)] ?? 0,
                verdict: verdictNumbers[UInt16(truncatingIfNeeded: rest >> 48)] ?? 0
            )
            young.put(entry)
        }
    }

    /// A table of entries, of which none is taken out.
    private struct Generation: Sendable {
        private(set) var entries: [Entry] = []
        private(set) var count = 0
        private let countMax: Int

        init(countMax: Int) { self.countMax = countMax }

        var capacity: Int { entries.count }

        func find(_ print: UInt64) -> Entry? {
            guard !entries.isEmpty else { return nil }
            let place = place(of: print)
            return entries[place].print == print ? entries[place] : nil
        }

        mutating func put(_ entry: Entry) {
            if (count + 1) * 8 > capacity * 7 { grow() }
            let place = place(of: entry.print)
            if entries[place].print == 0 { count += 1 }
            entries[place] = entry
        }

        private mutating func grow() {
            let before = entries
            let most = countMax / 7 * 8 + 16
            let size = min(max(most, capacity + 1), max(16, capacity / 4 * 5))
            entries = [Entry](repeating: Entry(), count: size)
            for entry in before where entry.print != 0 { entries[place(of: entry.print)] = entry }
        }

        /// Where it stands, or the free place where it would.
        private func place(of print: UInt64) -> Int {
            var place = Int(truncatingIfNeeded: print.multipliedFullWidth(by: UInt64(capacity)).high)
            while entries[place].print != 0, entries[place].print != print {
                place = place + 1 == capacity ? 0 : place + 1
            }
            return place
        }
    }
}

/// What is to be written of decided traces.
enum DecidedNote: Sendable, Equatable {
    case slots([UInt8])
    /// What follows goes into a new file.
    case turn
}
