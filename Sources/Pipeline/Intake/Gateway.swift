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
    private let answers: DeliveryAnswers?
    private let lease: IntakeLease?
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
    ///   - answers: Where answers wait for an exporter; without it they wait for the journal alone.
    ///   - lease: Held as long as something of a request is on its way into the journal.
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
        hold: Duration = .zero,
        answers: DeliveryAnswers? = nil,
        lease: IntakeLease? = nil
    ) {
        self.lease = lease
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
        self.answers = answers
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
            deviations.note(error.answer, items: 0, error.reason, of: request.signal, from: request.source)
            return error.answer
        }
        account.add(steps: spans.batch.indexSteps)
        let identity = request.source.identity?.name
        let tally = RequestTally(signal: request.signal, fronts: fronts, meters: identities, identity: identity)
        tally.refuse(spans.flawed, .invalid)
        if spans.flawed > 0 {
            deviations.note(spans.answer, items: spans.flawed, .invalid, of: request.signal, from: request.source)
        }
        guard spans.valid > 0 else { return spans.answer }
        let source = Self.recorded(request.source, spans)
        if let refusal = answers?.refusal(before: fronts.lazy.map(\.log)) {
            tally.refuse(spans.valid, .destination)
            return refusal
        }
        let now = clock.now()
        show(spans, from: source, at: now, to: fronts)
        var whenRefused: [@Sendable () -> Void] = []
        let records: [IntakeRecord]
        do throws(Refused) {
            records = try self.records(of: fronts, for: spans, from: source, at: now, account, memory, &whenRefused)
        } catch {
            for undo in whenRefused { undo() }
            tally.refuse(spans.valid, error.reason)
            deviations.note(error.answer, items: spans.valid, error.reason, of: request.signal, from: request.source)
            return error.answer
        }
        var waiting = WaitingRequest(
            answer: spans.answer,
            spans: spans.valid,
            tally: tally,
            records: records,
            memory: request.memory,
            trace: source.trace
        )
        waiting.whenRefused = whenRefused
        do throws(Refused) {
            waiting.wait = try wait(for: waiting.group, telling: spans.answer, to: request)
        } catch {
            return waiting.refused(as: error.reason, with: error.answer)
        }
        return enter(ticket, waiting, records.compactMap(\.share), waitingRoom(of: observer))
    }

    /// Shows spans to people who watch.
    private func show(
        _ spans: borrowing CheckedSpans,
        from source: RequestSource,
        at time: UnixTime,
        to fronts: [PipelineFront]
    ) {
        guard let tap = fronts.first?.tally.tap, tap.isWatched, spans.batch.signal == .traces else { return }
        let pipelines = fronts.map(\.log.pipeline)
        tap.offer(RequestTap.Request(batch: spans.batch, source: source, time: time, pipelines: pipelines))
    }

    /// Where a request came from, without a trace where it is what a Millrace says about itself: spans of that would be sent the
    /// same way, and so on for ever.
    private static func recorded(_ source: RequestSource, _ spans: borrowing CheckedSpans) -> RequestSource {
        guard let trace = source.trace else { return source }
        trace.note(items: spans.valid)
        guard spans.batch.isOwnTelemetry else { return source }
        trace.forget()
        var source = source
        source.trace = nil
        return source
    }

    /// How the answer to a request waits for an exporter, as long as its client does; nil where it does not.
    ///
    /// Throws where too much is waited for.
    private func wait(
        for group: RecordGroup,
        telling answer: IntakeAnswer,
        to request: IncomingRequest
    ) throws(Refused) -> DeliveryWait? {
        let sender = request.memory?.holder?.sender ?? .address(request.source.address)
        guard let wait = try answers?.wait(for: group, of: sender, telling: answer) else { return nil }
        request.presence?.whenGone { [weak wait] in wait?.abandon() }
        return wait
    }

    /// Hands a request to the journal, where its sender and route may have it there; the answer, where it may not wait.
    private func enter(
        _ ticket: UInt64,
        _ request: WaitingRequest,
        _ shared: [ShareTable.Part],
        _ room: WaitingRoom
    ) -> IntakeAnswer? {
        var request = request
        // Before the shares, which would ask the client to come back.
        if let excess = journal.excess(of: request.group) {
            return request.refused(as: .tooLarge, with: .tooLarge(excess))
        }
        if let shares {
            let parts = ShareTable.Part.sums(shared)
            switch shares.admit(parts, at: clock.now()) {
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
        let hold = room.hold(for: request)
        guard hold > .zero, let line = shares.line(for: share, creating: true) else { return false }
        return line.enter(bytes: request.bytes, hold: hold) { [clock] place in
            guard room.hold(for: request) > .zero else {
                line.leave(place)
                return room.answer(ticket, request.refused(with: answer))
            }
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
        memory.keep(only: records.reduce(0) { $0 + $1.heldBytes })
        return records
    }

    private func waitingRoom(of observer: any IntakeObserver) -> WaitingRoom {
        waiting.withLock { rooms in
            if let room = rooms[ObjectIdentifier(observer)] { return room }
            let room = WaitingRoom(
                journal: journal,
                observer: observer,
                condition: condition,
                line: line,
                hold: hold,
                answers: answers,
                lease: lease
            )
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
        if !request.deviations.isEmpty { deviations.note(request.deviations, of: request.signal, from: request.source) }
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
