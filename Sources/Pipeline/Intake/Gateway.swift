package import Basics
package import Journal
import Logging
package import OTLP
import Synchronization

/// The way of a request from the receiver into the journal, for all pipelines that read one receiver.
///
/// Decode, check each span, run every pipeline's processors, see that no route takes more than its share, append
/// everything as one group; the answer waits for the sync.
package final class Gateway: Intake {
    package let signals: Set<Signal>
    /// By signal.
    private let fronts: [[PipelineFront]]
    private let journal: Journal
    private let clock: WallClock
    private let deviations: DeviationLog
    private let shares: RouteShares?
    private let condition: JournalCondition?
    private let costs: CostLimits
    private let identities: IdentityMeters?
    private let line: WaitingLine?
    private let hold: Duration
    /// One for each event loop that ever asked; event loops live as long as the process.
    private let waiting = Mutex<[ObjectIdentifier: WaitingRoom]>([:])

    /// - Parameters:
    ///   - fronts: The front halves of the pipelines that read the receiver.
    ///   - journal: Holds their logs.
    ///   - clock: Gives the time of receipt.
    ///   - deviations: Counts what clients write against the specification.
    ///   - shares: Bounds what single routes may hold of the journal; nil for no bound.
    ///   - condition: Told whether the journal takes what it is given.
    ///   - costs: What a request may cost for its size.
    ///   - identities: Counts by who sent a request.
    ///   - line: Where requests wait while the journal is full; without it they are refused at once.
    ///   - hold: How long they wait there.
    package init(
        fronts: [PipelineFront],
        journal: Journal,
        clock: WallClock,
        deviations: DeviationLog,
        shares: RouteShares? = nil,
        condition: JournalCondition? = nil,
        costs: CostLimits = CostLimits(),
        identities: IdentityMeters? = nil,
        line: WaitingLine? = nil,
        hold: Duration = .zero
    ) {
        signals = Set(fronts.map(\.signal))
        self.fronts = Signal.allCases.map { signal in fronts.filter { $0.signal == signal } }
        self.journal = journal
        self.clock = clock
        self.deviations = deviations
        self.shares = shares
        self.condition = condition
        self.costs = costs
        self.identities = identities
        self.line = hold > .zero ? line : nil
        self.hold = hold
    }

    package func accept(
        _ request: IncomingRequest,
        ticket: UInt64,
        observer: any IntakeObserver
    ) -> IntakeAnswer? {
        let fronts = fronts[request.signal.index]
        guard !fronts.isEmpty else {
            return .invalid("no pipeline of this receiver takes \(request.signal.items)")
        }
        var account = RequestAccount(bytes: request.body.count, limits: costs)
        var memory = RequestMemory(request.memory, account, body: request.body.count)
        let spans: CheckedSpans
        do throws(Refused) {
            spans = try CheckedSpans(request, &memory, noting: deviations)
        } catch {
            return error.answer
        }
        account.add(steps: spans.batch.indexSteps)
        let tally = RequestTally(
            signal: request.signal,
            fronts: fronts,
            meters: identities,
            identity: request.source.identity?.name
        )
        tally.refuse(spans.flawed, .invalid)
        guard spans.valid > 0 else { return spans.answer }
        let now = clock.now()
        var whenRefused: [@Sendable () -> Void] = []
        let records: [IntakeRecord]
        do throws(Refused) {
            let source = request.source
            records = try self.records(of: fronts, for: spans, from: source, at: now, account, memory, &whenRefused)
        } catch {
            for undo in whenRefused { undo() }
            tally.refuse(spans.valid, error.reason)
            return error.answer
        }
        var request = WaitingRequest(answer: spans.answer, spans: spans.valid, tally: tally, records: records)
        request.whenRefused = whenRefused
        let room = waitingRoom(of: observer)
        // Before the shares, which would ask the client to come back.
        if let excess = journal.excess(of: request.group) {
            return request.refused(as: .tooLarge, with: .tooLarge(excess))
        }
        if let shares {
            let parts = ShareTable.Part.sums(records.compactMap(\.share))
            switch shares.admit(parts, at: now) {
            case .admitted: request.whenRefused.append { shares.withdraw(parts) }
            case .refused(let answer, let share):
                if waits(for: share, answer, ticket, request, parts, room, shares) { return nil }
                return request.refused(with: answer)
            }
        }
        return room.enter(ticket, request)
    }

    /// Lets a request wait until its sender or route holds less; false where it may not.
    private func waits(
        for share: ShareTable.Claim,
        _ answer: IntakeAnswer,
        _ ticket: UInt64,
        _ request: WaitingRequest,
        _ parts: [ShareTable.Part],
        _ room: WaitingRoom,
        _ shares: RouteShares
    ) -> Bool {
        guard hold > .zero, let line = shares.line(for: share, creating: true) else { return false }
        return line.enter(bytes: request.bytes, hold: hold) { [clock] place in
            switch shares.admit(parts, at: clock.now(), isNew: false) {
            case .admitted:
                var request = request
                request.whenRefused.append { shares.withdraw(parts) }
                room.enterLater(ticket, request)
                line.leave(place)
            case .refused(let answer, _):
                if !line.returns(place) { room.answer(ticket, request.refused(with: answer)) }
            }
        } refuse: {
            room.answer(ticket, request.refused(with: answer))
        }
    }

    /// Runs every pipeline's processors over the spans; what only that needed is given back then.
    private func records(
        of fronts: [PipelineFront],
        for spans: CheckedSpans,
        from source: RequestSource,
        at now: UnixTime,
        _ account: RequestAccount,
        _ memory: RequestMemory,
        _ whenRefused: inout [@Sendable () -> Void]
    ) throws(Refused) -> [IntakeRecord] {
        var memory = memory
        try memory.add(spans.batch.indexBytes)
        var records: [IntakeRecord] = []
        for front in fronts {
            records += try front.records(for: spans.batch, from: source, at: now, account, &memory, &whenRefused)
        }
        memory.keep(only: records.reduce(0) { $0 + $1.bytes })
        return records
    }

    private func waitingRoom(of observer: any IntakeObserver) -> WaitingRoom {
        waiting.withLock { rooms in
            if let room = rooms[ObjectIdentifier(observer)] { return room }
            let room = WaitingRoom(journal: journal, observer: observer, condition: condition, line: line, hold: hold)
            rooms[ObjectIdentifier(observer)] = room
            return room
        }
    }
}

/// A request's spans after each was checked; indexing marks the flawed ones as removed.
private struct CheckedSpans {
    let batch: Envelope

    var flawed: Int { batch.removedCount(.invalid) }
    /// Spans that may go on.
    var valid: Int { batch.keptCount }

    /// What the client is told once the valid spans are durable.
    var answer: IntakeAnswer {
        if flawed == 0 { return .accepted }
        let count = "\(flawed) of \(batch.itemCount) \(batch.signal.items)"
        let message = "\(count) refused: " + reasons.joined(separator: "; ")
        return valid == 0 ? .invalid(message) : .partial(rejected: flawed, message: message)
    }

    /// Reasons named in an answer, at most.
    private static let reasonsMax = 5

    private var reasons: [String] {
        let flaws = (0..<batch.unitCount).lazy.compactMap { index in
            batch.unit(index).flaw.map { "\(batch.signal.unit) \(index): \($0)" }
        }
        return Array(flaws.prefix(Self.reasonsMax))
    }

    init(
        _ request: IncomingRequest,
        _ memory: inout RequestMemory,
        noting deviations: DeviationLog
    ) throws(Refused) {
        let body = request.encoding == .json ? try Self.transcoded(request, &memory, noting: deviations) : request.body
        do throws(WireError) {
            batch = try Envelope(body, signal: request.signal, limits: memory.indexLimits())
        } catch {
            throw Self.refused(error, request, memory)
        }
    }

    /// The wire form of a body in JSON, for which memory is asked before it is written.
    private static func transcoded(
        _ request: IncomingRequest,
        _ memory: inout RequestMemory,
        noting deviations: DeviationLog
    ) throws(Refused) -> [UInt8] {
        let ahead = request.body.count
        try memory.add(ahead)
        var counts = DeviationCounts()
        let body: [UInt8]
        do throws(WireError) {
            body = try OTLPJSON.decode(
                request.body,
                signal: request.signal,
                deviations: &counts,
                bytesMax: memory.transcodedMax(besides: ahead)
            )
        } catch {
            throw refused(error, request, memory)
        }
        if body.count > ahead { try memory.add(body.count - ahead) }
        if !counts.isEmpty { deviations.note(counts, of: request.signal, from: request.source) }
        return body
    }

    /// What is over a limit of memory may have come at a bad time.
    private static func refused(_ error: WireError, _ request: IncomingRequest, _ memory: RequestMemory) -> Refused {
        guard case .overLimit = error, let shortage = memory.indexShortage else { return Refused(error) }
        request.memory?.noteShortage()
        return shortage
    }
}

/// A request whose records are on their way to the disk.
private struct WaitingRequest: Sendable {
    let answer: IntakeAnswer
    let spans: Int
    let tally: RequestTally
    let group: RecordGroup
    /// What its records hold in memory.
    let bytes: Int
    /// Where it waits in the line; nil where it does not.
    var place: WaitingLine.Place?
    /// Gives back what a request took that did not get in.
    var whenRefused: [@Sendable () -> Void] = []

    init(answer: IntakeAnswer, spans: Int, tally: RequestTally, records: [IntakeRecord]) {
        self.answer = answer
        self.spans = spans
        self.tally = tally
        group = RecordGroup(entries: records.map(\.record))
        bytes = records.reduce(0) { $0 + $1.bytes }
    }

    /// Counts it as over its route's share, and gives back what it took.
    func refused(as reason: IntakeTally.RefusalReason = .overShare, with answer: IntakeAnswer) -> IntakeAnswer {
        for undo in whenRefused { undo() }
        tally.refuse(spans, reason)
        return answer
    }

    func answer(after result: CommitResult) -> IntakeAnswer {
        let reason: IntakeTally.RefusalReason
        let pause: Duration
        switch result {
        case .durable:
            tally.accept(spans)
            return answer
        case .full(let retryAfter): (reason, pause) = (.journalFull, retryAfter)
        case .failed: (reason, pause) = (.journalFailed, .seconds(3))
        case .tooLarge: return refused(as: .tooLarge, with: .tooLarge(result.trouble))
        }
        return refused(as: reason, with: .unavailable(result.trouble, retryAfter: pause))
    }
}

extension CommitResult {
    /// The answer for a request that was not tried because others wait.
    fileprivate static func full() -> CommitResult { .full(retryAfter: .seconds(1)) }
}

/// Where the requests of one event loop wait for the disk, and for room on it.
private final class WaitingRoom: CommitObserver {
    private let journal: Journal
    private let observer: any IntakeObserver
    private let condition: JournalCondition?
    private let line: WaitingLine?
    private let hold: Duration
    private let requests = Mutex<[UInt64: WaitingRequest]>([:])

    init(
        journal: Journal,
        observer: any IntakeObserver,
        condition: JournalCondition?,
        line: WaitingLine?,
        hold: Duration
    ) {
        self.journal = journal
        self.observer = observer
        self.condition = condition
        self.line = line
        self.hold = hold
    }

    /// Hands a request to the journal, behind those that wait for room there; the answer, where it may not wait.
    func enter(_ ticket: UInt64, _ request: WaitingRequest) -> IntakeAnswer? {
        if let line, !line.isEmpty { return waits(ticket, request) ? nil : request.answer(after: .full()) }
        append(ticket, request)
        return nil
    }

    /// The same for a request whose receiver has been told to wait.
    func enterLater(_ ticket: UInt64, _ request: WaitingRequest) {
        if let refusal = enter(ticket, request) { answer(ticket, refusal) }
    }

    func answer(_ ticket: UInt64, _ answer: IntakeAnswer) {
        observer.settled([(ticket, answer)])
    }

    private func append(_ ticket: UInt64, _ request: WaitingRequest) {
        requests.withLock { $0[ticket] = request }
        journal.append(request.group, ticket: ticket, observer: self)
    }

    /// Puts a request into the line; false where it may not wait.
    private func waits(_ ticket: UInt64, _ request: WaitingRequest) -> Bool {
        guard let line else { return false }
        return line.enter(bytes: request.bytes, hold: hold) { place in
            var request = request
            request.place = place
            self.append(ticket, request)
        } refuse: {
            self.answer(ticket, request.answer(after: .full()))
        }
    }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        condition?.note(commits.lazy.map(\.result))
        let settled = requests.withLock { requests in
            commits.compactMap { commit in
                requests.removeValue(forKey: commit.ticket).map { (commit.ticket, commit.result, $0) }
            }
        }
        var answers: [(ticket: UInt64, answer: IntakeAnswer)] = []
        for (ticket, result, request) in settled {
            if case .full = result {
                if let place = request.place {
                    if line?.returns(place) == true { continue }
                } else if waits(ticket, request) {
                    continue
                }
            } else if let place = request.place {
                line?.leave(place)
            }
            answers.append((ticket, request.answer(after: result)))
        }
        if !answers.isEmpty { observer.settled(answers) }
    }
}
