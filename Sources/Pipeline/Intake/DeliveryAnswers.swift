package import Basics
import Journal
import Synchronization

/// The answers of one receiver that wait until an exporter has what their requests brought (`answer_after`).
///
/// A request is refused before anything of it is in the journal where it would wait in vain; otherwise its answer waits for
/// the journal as every answer does, then here for the exporter, until its time is over. Any thread.
package final class DeliveryAnswers: Sendable {
    private struct State {
        /// By the wait itself.
        var waits: [ObjectIdentifier: DeliveryWait] = [:]
        var hasTimer = false
        /// Whether requests are refused, because what they bring would not be delivered any more.
        var isStopping = false
        /// Whether nobody waits any more.
        var isClosed = false
    }

    /// What a waiting answer is charged to the memory budget, once its request's bytes are on the disk.
    static let bytesEach = 1024
    /// When a client may come back whose request was not delivered.
    static let retryAfter = Duration.seconds(3)

    /// The exporter, or all of them, as clients are told.
    let exporter: String
    /// Whether what becomes a dead letter is refused for good: who sent it keeps it then.
    let refusesDeadLetters: Bool
    private let timeout: Duration
    private let deliveries: [LogID: [Delivery]]
    private let awaited: AwaitedRecords
    private let clock: MonotonicClock
    private let state = Mutex(State())

    /// - Parameters:
    ///   - exporter: The exporter's key in the pipeline file; of several, what they are called together.
    ///   - refusesDeadLetters: Whether what becomes a dead letter is refused for good, and not asked for again.
    ///   - timeout: How long an answer waits, from the moment when its request was complete.
    ///   - deliveries: Those to the exporter from the pipelines that read the receiver.
    ///   - awaited: What all receivers wait for.
    ///   - clock: For the time-out.
    package init(
        exporter: String,
        refusesDeadLetters: Bool = false,
        timeout: Duration,
        deliveries: [Delivery],
        awaited: AwaitedRecords,
        clock: MonotonicClock = .system
    ) {
        self.awaited = awaited
        self.exporter = exporter
        self.refusesDeadLetters = refusesDeadLetters
        self.timeout = timeout
        self.clock = clock
        self.deliveries = deliveries.reduce(into: [:]) { known, delivery in
            if let log = delivery.log { known[log, default: []].append(delivery) }
        }
    }

    /// Whether nobody waits.
    package var isIdle: Bool { state.withLock { $0.waits.isEmpty } }

    /// Whether answers wait there for the same, and as long.
    package func waitsLike(_ other: DeliveryAnswers) -> Bool {
        (exporter, refusesDeadLetters, timeout) == (other.exporter, other.refusesDeadLetters, other.timeout)
            && deliveries.mapValues { Set($0.map(ObjectIdentifier.init)) }
                == other.deliveries.mapValues { Set($0.map(ObjectIdentifier.init)) }
    }

    /// The answer to a request for these logs that would wait in vain; nil for one that may go on.
    func refusal(before logs: some Sequence<LogID>) -> IntakeAnswer? {
        let awaited = logs.flatMap { deliveries[$0] ?? [] }
        guard !awaited.isEmpty else { return nil }
        if state.withLock({ $0.isStopping }) { return .stopping }
        guard let trouble = awaited.lazy.compactMap({ $0.trouble(waitingOver: self.timeout) }).first else { return nil }
        return .unavailable("\(exporter) \(trouble)", retryAfter: Self.retryAfter)
    }

    /// The wait of a request that is about to be journaled, and is told `answer` once it is delivered; nil where the exporter
    /// gets nothing of it.
    ///
    /// Throws where too much is waited for.
    func wait(
        for group: RecordGroup,
        of sender: Sender,
        telling answer: IntakeAnswer
    ) throws(Refused) -> DeliveryWait? {
        let logs = Set(group.entries.lazy.filter { $0.kind == .items }.map(\.log)).filter { deliveries[$0] != nil }
        guard !logs.isEmpty else { return nil }
        var counts: [LogID: Int] = [:]
        for entry in group.entries where logs.contains(entry.log) { counts[entry.log, default: 0] += 1 }
        let places = try awaited.take(counts, for: sender, waitingFor: exporter)
        return DeliveryWait(self, logs: logs, at: places, until: clock.now() + timeout, telling: answer)
    }

    /// Those of a log that are waited for.
    fileprivate func exporters(of log: LogID) -> [String] { (deliveries[log] ?? []).map(\.name) }

    /// What is left of the time of a wait; zero where its client is gone.
    func timeLeft(of wait: DeliveryWait) -> Duration {
        wait.isAbandoned ? .zero : max(.zero, wait.deadline - clock.now())
    }

    /// The group of a wait is durable.
    func enter(_ wait: DeliveryWait, _ tell: @escaping @Sendable (IntakeAnswer) -> Void) {
        let (isClosed, needsTimer) = state.withLock { state in
            guard !state.isClosed else { return (true, false) }
            state.waits[ObjectIdentifier(wait)] = wait
            defer { state.hasTimer = true }
            return (false, !state.hasTimer)
        }
        wait.begin(tell)
        if isClosed { wait.giveUp(with: .stopping) }
        if needsTimer { Task { await watch() } }
    }

    /// The wait is over.
    fileprivate func leave(_ wait: DeliveryWait) {
        state.withLock { $0.waits[ObjectIdentifier(wait)] = nil }
    }

    /// From now on refuses requests that would wait; who waits goes on.
    package func prepareToStop() {
        state.withLock { $0.isStopping = true }
    }

    /// Answers everybody who waits: nothing more is delivered.
    package func close() {
        let waits = state.withLock { state in
            (state.isStopping, state.isClosed) = (true, true)
            return Array(state.waits.values)
        }
        for wait in waits { wait.giveUp(with: .stopping) }
    }

    /// Looks for those whose time is over, for as long as somebody waits.
    private func watch() async {
        let period = min(max(timeout / 50, .milliseconds(5)), .milliseconds(100))
        let answer = IntakeAnswer.unavailable("\(exporter) did not take it in time", retryAfter: Self.retryAfter)
        while true {
            try? await clock.sleep(period)
            let now = clock.now()
            let late = state.withLock { state -> [DeliveryWait]? in
                if state.waits.isEmpty {
                    state.hasTimer = false
                    return nil
                }
                return state.waits.values.filter { $0.deadline <= now }
            }
            guard let late else { return }
            for wait in late { wait.giveUp(with: answer) }
        }
    }
}

/// One answer that waits: until its group is durable and the exporter is done with it, or its time is over.
final class DeliveryWait: Sendable {
    private enum State {
        /// It is not known whether the group is durable; with what became of it, where that is known first.
        case committing(Settlement?)
        case waiting(@Sendable (IntakeAnswer) -> Void)
        case over
    }

    /// When the client is told that it took too long.
    let deadline: Duration
    private let answers: DeliveryAnswers
    private let answer: IntakeAnswer
    private let logs: Set<LogID>
    private let state = Mutex(State.committing(nil))
    private let notice = Mutex<SettlementNotice?>(nil)
    private let places: Mutex<AwaitedPlaces?>
    private let hasNobody = Atomic<Bool>(false)

    fileprivate init(
        _ answers: DeliveryAnswers,
        logs: Set<LogID>,
        at places: AwaitedPlaces,
        until deadline: Duration,
        telling answer: IntakeAnswer
    ) {
        self.answers = answers
        self.logs = logs
        self.places = Mutex(places)
        self.deadline = deadline
        self.answer = answer
    }

    /// What follows the group; a new one for each attempt to append it.
    func makeNotice() -> SettlementNotice {
        let readers = logs.flatMap { log in answers.exporters(of: log).map { ReaderID($0, of: log) } }
        let notice = SettlementNotice(readers: readers) { [weak self] settlement in self?.settle(settlement) }
        self.notice.withLock { $0 = notice }
        return notice
    }

    deinit {
        notice.withLock { $0 }?.cancel()
    }

    /// Whether nobody is there who could be told.
    var isAbandoned: Bool { hasNobody.load(ordering: .relaxed) }

    /// The client is gone: the wait ends once its group is durable, or now.
    func abandon() {
        hasNobody.store(true, ordering: .relaxed)
        end(with: .gone)
    }

    /// The group is durable.
    fileprivate func begin(_ tell: @escaping @Sendable (IntakeAnswer) -> Void) {
        let settlement = state.withLock { state -> Settlement? in
            guard case .committing(let settlement) = state else { return nil }
            state = .waiting(tell)
            return settlement
        }
        if let settlement { settle(settlement) } else if isAbandoned { end(with: .gone) }
    }

    /// It is known what became of the group.
    private func settle(_ settlement: Settlement) {
        let isEarly = state.withLock { state in
            guard case .committing = state else { return false }
            state = .committing(settlement)
            return true
        }
        if !isEarly { end(with: answer(after: settlement)) }
    }

    /// Tells the client that it waited in vain, unless what became of its request is known and about to be told.
    fileprivate func giveUp(with answer: IntakeAnswer) {
        if notice.withLock({ $0?.isOver ?? false }) { return }
        end(with: answer)
    }

    /// Tells the client, where it was not told.
    private func end(with answer: IntakeAnswer) {
        let tell = state.withLock { state -> (@Sendable (IntakeAnswer) -> Void)? in
            guard case .waiting(let tell) = state else { return nil }
            state = .over
            return tell
        }
        guard let tell else { return }
        notice.withLock { $0.take() }?.cancel()
        places.withLock { $0 = nil }
        answers.leave(self)
        tell(answer)
    }

    private func answer(after settlement: Settlement) -> IntakeAnswer {
        let outcomes: OutcomeCounts
        switch settlement {
        case .unknown(let reason): return refusal(reason)
        case .finished(let records): outcomes = records.reduce(OutcomeCounts()) { $0 + $1.outcomes }
        }
        if answers.refusesDeadLetters, outcomes[.deadLettered] > 0 {
            return .invalid("\(outcomes[.deadLettered]) of its items are refused for good by \(answers.exporter)")
        }
        let failed = [Outcome.deadLettered, .expired, .lost].first { outcomes[$0] > 0 }
        if let failed { return refusal("\(outcomes[failed]) \(failed.word.replacing("_", with: " "))") }
        let rejected = Int(clamping: outcomes[.rejected])
        guard rejected > 0 else { return answer }
        let message = "\(answers.exporter) rejected \(rejected)"
        guard case .partial(let others, let words) = answer else {
            return .partial(rejected: rejected, message: message)
        }
        return .partial(rejected: others + rejected, message: "\(words); \(message)")
    }

    private func refusal(_ reason: String) -> IntakeAnswer {
        .unavailable("not delivered to \(answers.exporter): \(reason)", retryAfter: DeliveryAnswers.retryAfter)
    }
}

extension IntakeAnswer {
    /// The process ends, and delivers nothing more.
    fileprivate static let stopping = IntakeAnswer.unavailable("the gateway is stopping", retryAfter: .seconds(1))
    /// Nobody reads it.
    fileprivate static let gone = IntakeAnswer.unavailable("the client is gone", retryAfter: .seconds(1))
}
