import Basics
import Journal
import OTLP

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
        /// The number of its route, zero for none; there are fewer than 2¹⁵ (`NumberedTexts`), and the highest bit is `isKept`.
        private var routeAndFlag: UInt16 = 0
        /// The number of its verdict; zero for none.
        var verdict: UInt16 = 0

        init(print: UInt64 = 0, seconds: UInt32 = 0, route: UInt16 = 0, verdict: UInt16 = 0, isKept: Bool = false) {
            (self.print, self.seconds, self.verdict) = (print, seconds, verdict)
            routeAndFlag = route
            self.isKept = isKept
        }

        var route: UInt16 {
            get { routeAndFlag & 0x7FFF }
            set { routeAndFlag = routeAndFlag & 0x8000 | newValue & 0x7FFF }
        }

        /// Whether what came of it is to outlive the process, and was handed out for that as it is.
        var isKept: Bool {
            get { routeAndFlag & 0x8000 != 0 }
            set { routeAndFlag = routeAndFlag & 0x7FFF | (newValue ? 0x8000 : 0) }
        }
    }

    /// Bytes of slots that are handed out in one piece.
    private static let pieceBytes = 64 << 10
    /// How often what is remembered is written before a new file begins, on average.
    private static let writesMax = 4

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
    /// What is to be written: pieces that are full, then the slots behind them.
    private var unwritten: [DecidedNote] = []
    private var slots: [UInt8] = []
    /// Slots of the file under way.
    private var slotCount = 0

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
            slotCount = file.count / LogNotes.slotBytes
        }
        since = files.isEmpty ? since : offset(now)
        // What follows is written behind them: their texts have to be said again.
        routes.forgetWritten()
        verdicts.forgetWritten()
    }

    /// A trace was decided; what came of it is not known yet, unless some of it was decided before.
    mutating func insert(_ key: TraceKey, at now: Int64) {
        let now = offset(now)
        age(at: now)
        let print = print(key)
        if let before = young.find(print) ?? old.find(print), isRemembered(before, at: now),
            before.route != 0 || before.verdict != 0
        {
            return
        }
        young.put(Entry(print: print, seconds: seconds(now)))
    }

    /// Whether a trace was decided; it is remembered longer for that.
    mutating func contains(_ key: TraceKey, at now: Int64) -> Bool {
        let now = offset(now)
        age(at: now)
        let print = print(key)
        guard var entry = young.find(print) ?? old.find(print) else { return false }
        let time = seconds(now)
        guard isRemembered(entry, at: now) else { return false }
        guard entry.seconds != time else { return true }
        let isWritten = entry.isKept && !isFresh(entry, at: time)
        entry.seconds = time
        young.put(entry)
        if isWritten { write(entry) }
        return true
    }

    /// Whether that is known of a trace, and not for longer than a trace is remembered.
    func knows(_ outcome: DecidedOutcome, of key: TraceKey, at now: Int64) -> Bool {
        let print = print(key)
        guard let entry = young.find(print) ?? old.find(print) else { return false }
        return isRemembered(entry, at: offset(now)) && self.outcome(of: entry) == outcome
    }

    /// Whether some of a trace went on before, so that what came of it is to outlive the process.
    func isKept(_ key: TraceKey) -> Bool {
        let print = print(key)
        return (young.find(print) ?? old.find(print))?.isKept ?? false
    }

    /// Notes what came of a trace that was decided.
    mutating func note(_ outcome: DecidedOutcome, of key: TraceKey) {
        let print = print(key)
        let isYoung = young.find(print) != nil
        guard var entry = isYoung ? young.find(print) : old.find(print) else { return }
        let before = (entry.route, entry.verdict)
        set(outcome, &entry)
        if before != (entry.route, entry.verdict) { entry.isKept = false }
        // One of the elder generation is not in the file under way: it stays there until it is written.
        if isYoung { young.put(entry) } else { old.put(entry) }
    }

    /// What came of a trace, as far as it is known.
    func outcome(of key: TraceKey) -> DecidedOutcome? {
        let print = print(key)
        guard let entry = young.find(print) ?? old.find(print) else { return nil }
        let outcome = outcome(of: entry)
        return outcome == DecidedOutcome() ? nil : outcome
    }

    private func outcome(of entry: Entry) -> DecidedOutcome {
        DecidedOutcome(
            route: routes[entry.route].flatMap { text in
                var bytes = text[...]
                return Route(popping: &bytes)
            },
            verdict: verdicts[entry.verdict].flatMap { text in
                var bytes = text[...]
                return TraceVerdict(popping: &bytes)
            }
        )
    }

    /// What came of a trace is to outlive the process.
    mutating func keep(_ outcome: DecidedOutcome, of key: TraceKey, at now: Int64) {
        let now = offset(now)
        age(at: now)
        let print = print(key)
        let before = young.find(print) ?? old.find(print)
        var entry = before ?? Entry(print: print)
        entry.seconds = seconds(now)
        set(outcome, &entry)
        let isNoted = before.map { before in
            let isSame = before.route == entry.route && before.verdict == entry.verdict
            return before.isKept && isSame && isFresh(before, at: entry.seconds)
        }
        entry.isKept = true
        young.put(entry)
        if isNoted != true { write(entry) }
    }

    /// Whether what was written of an entry is in the file under way, and young enough to be found there for what it is.
    private func isFresh(_ entry: Entry, at time: UInt32) -> Bool {
        let step = max(1, wholeSeconds / 4)
        return Int64(time) / step == Int64(entry.seconds) / step && young.find(entry.print) != nil
    }

    private func isRemembered(_ entry: Entry, at now: Int64) -> Bool {
        Int64(seconds(now)) - Int64(entry.seconds) <= wholeSeconds
    }

    /// What is to be written since the last time.
    mutating func takeUnwritten() -> [DecidedNote] {
        endPiece()
        defer { unwritten = [] }
        return unwritten
    }

    private mutating func endPiece() {
        guard !slots.isEmpty else { return }
        unwritten.append(.slots(slots))
        slots = []
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
        let isFull = young.count >= countMax || slotCount >= Self.writesMax * countMax
        guard now - since > remember || isFull else { return }
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
        endPiece()
        unwritten.append(.turn)
        slotCount = 0
    }

    private func offset(_ now: Int64) -> Int64 { now.addingReportingOverflow(offset).partialValue }

    private func seconds(_ now: Int64) -> UInt32 { UInt32(clamping: now / 1_000_000_000) }

    private var wholeSeconds: Int64 { remember / 1_000_000_000 + (remember % 1_000_000_000 > 0 ? 1 : 0) }

    private func print(_ key: TraceKey) -> UInt64 {
        let print = hash.hash([key.trace.high, key.trace.low], (key.identity ?? "").utf8)
        return print == 0 || print == NumberedTexts.mark ? 1 : print
    }
}

// Slots on the disk: a text (`NumberedTexts`), or the fingerprint, the seconds, the numbers of route and verdict.
extension DecidedTraces {
    private mutating func write(_ entry: Entry) {
        let before = slots.count
        slots += routes.unwritten(entry.route)
        slots += verdicts.unwritten(entry.verdict)
        slots.append(word: entry.print)
        let numbers = UInt64(entry.route) << 32 | UInt64(entry.verdict) << 48
        slots.append(word: UInt64(entry.seconds) | numbers)
        slotCount += (slots.count - before) / LogNotes.slotBytes
        if slots.count >= Self.pieceBytes { endPiece() }
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
            guard print != 0 else { continue }
            // There was more room when it was written: the younger ones stay.
            if young.count >= countMax { (old, young) = (young, Generation(countMax: countMax)) }
            let entry = Entry(
                print: print,
                // A clock that was set back must not make it last.
                seconds: min(UInt32(truncatingIfNeeded: rest), newest),
                route: routeNumbers[UInt16(truncatingIfNeeded: rest >> 32)] ?? 0,
                verdict: verdictNumbers[UInt16(truncatingIfNeeded: rest >> 48)] ?? 0,
                isKept: true
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
