package import Basics
package import Journal
import Logging
import OTLP
import Synchronization

/// The way of a request from the receiver into the journal, for all pipelines that read one receiver.
///
/// Decode, check each span, run every pipeline's processors, see that no route takes more than its share, append
/// everything as one group; the answer waits for the sync.
package final class Gateway: Intake {
    private let fronts: [PipelineFront]
    private let journal: Journal
    private let clock: WallClock
    private let deviations: DeviationLog
    private let shares: RouteShares?
    private let condition: JournalCondition?
    /// One for each event loop that ever asked; event loops live as long as the process.
    private let waiting = Mutex<[ObjectIdentifier: WaitingRoom]>([:])

    /// - Parameters:
    ///   - fronts: The front halves of the pipelines that read the receiver.
    ///   - journal: Holds their logs.
    ///   - clock: Gives the time of receipt.
    ///   - deviations: Counts what clients write against the specification.
    ///   - shares: Bounds what single routes may hold of the journal; nil for no bound.
    ///   - condition: Told whether the journal takes what it is given.
    package init(
        fronts: [PipelineFront],
        journal: Journal,
        clock: WallClock,
        deviations: DeviationLog,
        shares: RouteShares? = nil,
        condition: JournalCondition? = nil
    ) {
        self.fronts = fronts
        self.journal = journal
        self.clock = clock
        self.deviations = deviations
        self.shares = shares
        self.condition = condition
    }

    package func accept(
        _ request: IncomingRequest,
        ticket: UInt64,
        observer: any IntakeObserver
    ) -> IntakeAnswer? {
        let spans: CheckedSpans
        do throws(WireError) {
            spans = try CheckedSpans(request, noting: deviations)
        } catch {
            return error.answer
        }
        for front in fronts { front.tally.refuse(spans.flawed, .invalid) }
        guard spans.valid > 0 else { return spans.answer }
        let now = clock.now()
        let records = fronts.flatMap { $0.records(for: spans.batch, from: request.source, at: now) }
        let group = RecordGroup(entries: records)
        // Before the shares, which would ask the client to come back.
        if let excess = journal.excess(of: group) {
            return WaitingRequest(answer: spans.answer, spans: spans.valid, fronts: fronts)
                .answer(after: .tooLarge(excess))
        }
        var request = WaitingRequest(answer: spans.answer, spans: spans.valid, fronts: fronts)
        if let shares {
            switch shares.admit(records, at: now) {
            case .admitted(let parts): request.undo = { shares.withdraw(parts) }
            case .refused(let answer):
                for front in fronts { front.tally.refuse(spans.valid, .overShare) }
                return answer
            }
        }
        let room = waitingRoom(of: observer)
        room.enter(ticket, request)
        journal.append(group, ticket: ticket, observer: room)
        return nil
    }

    private func waitingRoom(of observer: any IntakeObserver) -> WaitingRoom {
        waiting.withLock { rooms in
            if let room = rooms[ObjectIdentifier(observer)] { return room }
            let room = WaitingRoom(observer: observer, condition: condition)
            rooms[ObjectIdentifier(observer)] = room
            return room
        }
    }
}

extension WireError {
    fileprivate var answer: IntakeAnswer {
        switch self {
        case .malformed(let offset, let reason): .invalid("byte \(offset): \(reason)")
        case .overLimit(let reason): .tooLarge(reason)
        }
    }
}

/// A request's spans after each was checked; indexing marks the flawed ones as removed.
private struct CheckedSpans {
    let batch: SpanBatch

    var flawed: Int { batch.removedCount(.invalid) }
    /// Spans that may go on.
    var valid: Int { batch.keptCount }

    /// What the client is told once the valid spans are durable.
    var answer: IntakeAnswer {
        if flawed == 0 { return .accepted }
        let message = "\(flawed) of \(batch.spans.count) spans refused: " + reasons.joined(separator: "; ")
        return valid == 0 ? .invalid(message) : .partial(rejected: flawed, message: message)
    }

    /// Reasons named in an answer, at most.
    private static let reasonsMax = 5

    private var reasons: [String] {
        let flaws = batch.spans.enumerated().lazy.compactMap { index, span in span.flaw.map { "span \(index): \($0)" } }
        return Array(flaws.prefix(Self.reasonsMax))
    }

    init(_ request: IncomingRequest, noting deviations: DeviationLog) throws(WireError) {
        switch request.encoding {
        case .protobuf:
            batch = try SpanBatch(request.body)
        case .json:
            var counts = DeviationCounts()
            batch = try SpanBatch(OTLPJSON.decode(request.body, signal: request.signal, deviations: &counts))
            if !counts.isEmpty { deviations.note(counts, from: request.source) }
        }
    }
}

/// A request whose records are on their way to the disk.
private struct WaitingRequest: Sendable {
    let answer: IntakeAnswer
    let spans: Int
    let fronts: [PipelineFront]
    /// Gives back the share of a request that did not get in.
    var undo: @Sendable () -> Void = {}

    func answer(after result: CommitResult) -> IntakeAnswer {
        let reason: IntakeTally.Refusal
        let pause: Duration
        switch result {
        case .durable:
            for front in fronts { front.tally.accept(spans) }
            return answer
        case .full(let retryAfter): (reason, pause) = (.journalFull, retryAfter)
        case .failed: (reason, pause) = (.journalFailed, .seconds(5))
        case .tooLarge:
            undo()
            for front in fronts { front.tally.refuse(spans, .tooLarge) }
            return .tooLarge(result.trouble)
        }
        undo()
        for front in fronts { front.tally.refuse(spans, reason) }
        return .unavailable(result.trouble, retryAfter: pause)
    }
}

/// Where the requests of one event loop wait for the disk.
private final class WaitingRoom: CommitObserver {
    private let observer: any IntakeObserver
    private let condition: JournalCondition?
    private let requests = Mutex<[UInt64: WaitingRequest]>([:])

    init(observer: any IntakeObserver, condition: JournalCondition?) {
        self.observer = observer
        self.condition = condition
    }

    func enter(_ ticket: UInt64, _ request: WaitingRequest) {
        requests.withLock { $0[ticket] = request }
    }

    func settled(_ commits: [(ticket: UInt64, result: CommitResult)]) {
        condition?.note(commits.lazy.map(\.result))
        let answers = requests.withLock { requests in
            commits.compactMap { commit in
                requests.removeValue(forKey: commit.ticket).map { (commit.ticket, $0.answer(after: commit.result)) }
            }
        }
        observer.settled(answers)
    }
}
