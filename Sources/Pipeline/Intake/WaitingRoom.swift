import Basics
import Journal
import Synchronization

/// A request whose records are on their way to the disk.
struct WaitingRequest: Sendable {
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
    /// Where the answer waits for an exporter, too.
    var wait: DeliveryWait?
    /// Set where it is recorded.
    let trace: RequestTrace?
    private let memory: Reservation?
    private let services: [NotedServices]

    init(
        answer: IntakeAnswer,
        spans: Int,
        tally: RequestTally,
        records: [IntakeRecord],
        memory: Reservation?,
        trace: RequestTrace?
    ) {
        self.memory = memory
        self.trace = trace
        self.answer = answer
        self.spans = spans
        self.tally = tally
        group = RecordGroup(entries: records.map(\.record))
        services = records.compactMap(\.services)
        bytes = records.reduce(0) { $0 + $1.bytes }
    }

    /// Counts it as over its route's share, and gives back what it took.
    func refused(as reason: IntakeTally.RefusalReason = .overShare, with answer: IntakeAnswer) -> IntakeAnswer {
        for undo in whenRefused { undo() }
        tally.refuse(spans, reason)
        return answer
    }

    /// Its records are on the disk, and the client waits on: what held them is given back.
    func goesOnWaiting() {
        accepted()
        memory?.shrink(to: DeliveryAnswers.bytesEach)
    }

    private func accepted() {
        tally.accept(spans)
        for services in services { services.commit() }
    }

    func answer(after result: CommitResult) -> IntakeAnswer {
        let reason: IntakeTally.RefusalReason
        let pause: Duration
        switch result {
        case .durable:
            accepted()
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
final class WaitingRoom: CommitObserver {
    private let journal: Journal
    private let observer: any IntakeObserver
    private let condition: JournalCondition?
    private let line: WaitingLine?
    private let hold: Duration
    private let answers: DeliveryAnswers?
    private let lease: IntakeLease?
    private let requests = Mutex<[UInt64: WaitingRequest]>([:])

    init(
        journal: Journal,
        observer: any IntakeObserver,
        condition: JournalCondition?,
        line: WaitingLine?,
        hold: Duration,
        answers: DeliveryAnswers?,
        lease: IntakeLease?
    ) {
        self.lease = lease
        self.answers = answers
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

    /// How long a request may wait for room: no longer than its client waits for a delivery, which would then come for nobody.
    func hold(for request: WaitingRequest) -> Duration {
        guard let wait = request.wait, let answers else { return hold }
        return min(hold, answers.timeLeft(of: wait))
    }

    private func append(_ ticket: UInt64, _ request: WaitingRequest) {
        requests.withLock { $0[ticket] = request }
        journal.append(request.group, ticket: ticket, observer: self, notice: request.wait?.makeNotice())
    }

    /// Puts a request into the line; false where it may not wait.
    private func waits(_ ticket: UInt64, _ request: WaitingRequest) -> Bool {
        let hold = hold(for: request)
        guard let line, hold > .zero else { return false }
        return line.enter(bytes: request.bytes, hold: hold) { place in
            guard self.hold(for: request) > .zero else {
                line.leave(place)
                return self.answer(ticket, request.answer(after: .full()))
            }
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
            if case .durable = result { request.trace?.noteJournaled() }
            if case .durable = result, let wait = request.wait {
                request.goesOnWaiting()
                self.answers?.enter(wait) { [observer] in observer.settled([(ticket, $0)]) }
                continue
            }
            answers.append((ticket, request.answer(after: result)))
        }
        if !answers.isEmpty { observer.settled(answers) }
    }
}
