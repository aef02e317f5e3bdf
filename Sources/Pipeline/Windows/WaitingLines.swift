import Basics

/// What a trace waits for.
enum WaitingWay: UInt8, CaseIterable, Sendable {
    /// For spans that may still come, though none is missing here.
    case complete
    /// The same, and it is certain that it is kept.
    case kept
    /// For parents in other processes.
    case remote
    /// For a parent that is missing, or for its root.
    case open
}

extension WaitingWay {
    /// Whether nothing is missing.
    var isWhole: Bool { self == .complete || self == .kept }
}

/// Where a trace stands in a line.
struct LinePlace: Sendable {
    fileprivate var before = noNumber
    fileprivate var after = noNumber
}

/// Traces in lines: one for each way to wait, the next that is due first, and one of all by when they came.
struct WaitingLines: Sendable {
    private struct Line: Sendable {
        var first = noNumber
        var last = noNumber
    }

    private static let ways = WaitingWay.allCases

    /// By way: how long, in nanoseconds.
    private let times: [Int64]
    private var waiting = [Line](repeating: Line(), count: WaitingWay.allCases.count)
    private var ageing = Line()
    /// Those that are open, the next that is shown first.
    private var showing = Line()
    /// After how many nanoseconds they are shown; nil for never.
    private let showAfter: Int64?

    init(_ settings: WindowSettings) {
        showAfter = settings.showAfter?.wholeNanoseconds
        times = WaitingWay.allCases.map { way in
            switch way {
            case .complete: settings.afterRoot.wholeNanoseconds
            case .kept: min(settings.afterRoot, settings.afterRootKept).wholeNanoseconds
            case .remote: settings.wait.wholeNanoseconds
            case .open: settings.openWait.wholeNanoseconds
            }
        }
    }

    /// The trace that came first of those that wait.
    var oldest: UInt32? { ageing.first == noNumber ? nil : ageing.first }

    /// The trace that is due first of those that are whole and certain to be kept.
    var firstKept: UInt32? {
        let first = waiting[Int(WaitingWay.kept.rawValue)].first
        return first == noNumber ? nil : first
    }

    /// The trace that came next.
    func next(after trace: UInt32, _ traces: Slab<TraceWindow.Trace>) -> UInt32? {
        let after = traces[trace].ageing.after
        return after == noNumber ? nil : after
    }

    /// Takes a new trace in.
    mutating func insert(_ trace: UInt32, at now: Int64, _ traces: inout Slab<TraceWindow.Trace>) {
        Self.append(trace, to: &ageing, \.ageing, &traces)
        wait(trace, .open, from: now, &traces)
    }

    /// Makes a trace wait that way from now on; one that waits for nothing that is missing here waits on as it did.
    mutating func wait(_ trace: UInt32, _ way: WaitingWay, from now: Int64, _ traces: inout Slab<TraceWindow.Trace>) {
        let before = traces[trace].way
        if before == way, way.isWhole { return }
        if let before { Self.remove(trace, from: &waiting[Int(before.rawValue)], \.waiting, &traces) }
        Self.append(trace, to: &waiting[Int(way.rawValue)], \.waiting, &traces)
        traces[trace].way = way
        let (due, overflow) = now.addingReportingOverflow(times[Int(way.rawValue)])
        traces[trace].due = overflow ? .max : due
    }

    mutating func remove(_ trace: UInt32, _ traces: inout Slab<TraceWindow.Trace>) {
        if let way = traces[trace].way {
            Self.remove(trace, from: &waiting[Int(way.rawValue)], \.waiting, &traces)
        }
        Self.remove(trace, from: &ageing, \.ageing, &traces)
        unshow(trace, &traces)
    }

    /// Has a trace shown after a while, unless it stands in that line already.
    mutating func show(_ trace: UInt32, from now: Int64, _ traces: inout Slab<TraceWindow.Trace>) {
        guard let showAfter, !traces[trace].isInShowing else { return }
        Self.append(trace, to: &showing, \.showing, &traces)
        let (due, overflow) = now.addingReportingOverflow(showAfter)
        traces[trace].showDue = overflow ? .max : due
        traces[trace].isInShowing = true
    }

    /// The trace that is to be shown first of those whose turn it is; it leaves that line.
    mutating func takeShown(at now: Int64, _ traces: inout Slab<TraceWindow.Trace>) -> UInt32? {
        let first = showing.first
        guard first != noNumber, traces[first].showDue <= now else { return nil }
        unshow(first, &traces)
        return first
    }

    private mutating func unshow(_ trace: UInt32, _ traces: inout Slab<TraceWindow.Trace>) {
        guard traces[trace].isInShowing else { return }
        Self.remove(trace, from: &showing, \.showing, &traces)
        traces[trace].isInShowing = false
    }

    /// When the next trace is due, in nanoseconds.
    func nextDue(_ traces: Slab<TraceWindow.Trace>) -> Int64? {
        let decided = waiting.compactMap { $0.first == noNumber ? nil : traces[$0.first].due }.min()
        let shown = showing.first == noNumber ? nil : traces[showing.first].showDue
        return [decided, shown].compactMap { $0 }.min()
    }

    /// The trace whose turn came first of those whose turn it is.
    func due(at now: Int64, _ traces: Slab<TraceWindow.Trace>) -> (trace: UInt32, way: WaitingWay)? {
        var found: (trace: UInt32, way: WaitingWay, due: Int64)?
        for way in Self.ways {
            let first = waiting[Int(way.rawValue)].first
            guard first != noNumber, case let due = traces[first].due, due <= now else { continue }
            if found.map({ due < $0.due }) ?? true { found = (first, way, due) }
        }
        return found.map { ($0.trace, $0.way) }
    }

    private static func append(
        _ trace: UInt32,
        to line: inout Line,
        _ place: WritableKeyPath<TraceWindow.Trace, LinePlace>,
        _ traces: inout Slab<TraceWindow.Trace>
    ) {
        traces[trace][keyPath: place].before = line.last
        traces[trace][keyPath: place].after = noNumber
        if line.last == noNumber { line.first = trace } else { traces[line.last][keyPath: place].after = trace }
        line.last = trace
    }

    private static func remove(
        _ trace: UInt32,
        from line: inout Line,
        _ place: WritableKeyPath<TraceWindow.Trace, LinePlace>,
        _ traces: inout Slab<TraceWindow.Trace>
    ) {
        let (before, after) = (traces[trace][keyPath: place].before, traces[trace][keyPath: place].after)
        if before == noNumber { line.first = after } else { traces[before][keyPath: place].after = after }
        if after == noNumber { line.last = before } else { traces[after][keyPath: place].before = before }
    }
}
