import Basics
import Journal
import Logging
import OTLP
import Synchronization

/// What becomes of the requests of one batch.
extension Delivery {
    /// How long spans are left alone for whose dead letter there is no room.
    private static let longPause = Duration.seconds(60)

    /// Sends the requests of a batch one after the other, until all are done or one has to wait.
    func attempt(_ batch: PendingBatch) async {
        var batch = batch
        expireOldSpans(of: &batch)
        guard batch.items > 0 else { return finish(batch) }
        batch.prepare(limits: flow.withLock { $0.limits })
        while var request = batch.nextRequest() {
            if let reason = batch.key.refusal {
                guard await giveUp(request, of: &batch, Rejection(status: nil, reason: reason)) else { return }
                continue
            }
            request.history.begin(at: wallClock.now())
            let traced = telemetry.flatMap { TracedAttempt(of: batch, $0) }
            let start = clock.now()
            let outcome = await exporter.export(request.batch)
            meters.observe(outcome, of: request, at: wallClock.now(), took: clock.now() - start)
            traced?.end(outcome, of: request, by: self)
            let isToBlame = note(outcome, of: &request)
            batch.updateNextRequest(request)
            switch outcome {
            case .delivered(let rejected, let message):
                if rejected > 0 || !message.isEmpty {
                    let counts: Logger.Metadata = [
                        "rejected": "\(rejected)", signal.itemsName: "\(request.batch.items)",
                    ]
                    warn(.rejected, because: message, counts)
                }
                batch.outcomes[.rejected] += UInt64(min(rejected, request.batch.items))
                batch.completeNextRequest()
                noteOpen(batch.key)
            case .unavailable(let reason, let after):
                return await postpone(batch, atLeast: after ?? .zero, because: reason)
            case .timedOut(let reason):
                if isToBlame, let halves = batch.halved() { return postpone(halves, because: reason) }
                return await postpone(batch, because: reason)
            case .failed(let rejection):
                guard await divide(&batch, isToBlame: isToBlame, rejection) else { return }
            case .tooLarge(let rejection), .refused(let rejection):
                noteOpen(batch.key)
                guard await divide(&batch, isToBlame: true, rejection) else { return }
            case .parked(let reason), .unsendable(let reason):
                warn(.parked, because: reason, ["route": "\(request.batch.route)"])
                if await givesUp(&batch, because: reason) {
                    return parked.withLock { $0.hasten(batch.key, now: clock.now()) }
                }
                return park(batch)
            case .cancelled:
                return
            }
        }
        finish(batch)
    }

    /// Takes out what the destination is known to refuse for its age.
    private func expireOldSpans(of batch: inout PendingBatch) {
        guard let ageMax else { return }
        let count = batch.expireSpans(endedBefore: wallClock.now().earlier(by: ageMax))
        guard count > 0 else { return }
        warn(.expired, because: "they ended more than \(ageMax.text) ago", [signal.itemsName: "\(count)"])
    }

    /// Tells the flow control, and whether the destination has shown that the spans, or their number, are at fault for a failure.
    private func note(_ outcome: DeliveryOutcome, of request: inout PendingRequest) -> Bool {
        var generator = SystemRandomNumberGenerator()
        let wasOpen = isCircuitOpen
        defer { if isCircuitOpen != wasOpen { tellCircuit(isOpen: !wasOpen, outcome) } }
        return flow.withLock { flow in
            var isToBlame = false
            switch outcome {
            case .failed: isToBlame = request.history.fail(successes: flow.successes)
            case .timedOut: isToBlame = request.history.timeOut(successes: flow.successes)
            default: break
            }
            flow.note(outcome, of: request, now: clock.now(), using: &generator)
            return isToBlame
        }
    }

    private func tellCircuit(isOpen: Bool, _ outcome: DeliveryOutcome) {
        let reason = isOpen ? meters.memory.last.failure?.reason ?? outcome.name : ""
        meters.events.add(
            isOpen ? .circuitOpened : .circuitClosed,
            of: "\(pipeline)/\(name)",
            reason,
            at: wallClock.now()
        )
    }

    /// Goes on with less at a time; with a single span, or what else cannot be split, as a dead letter.
    ///
    /// Spans that may not be to blame are split only after some failures, and never given up.
    ///
    /// - Returns: Whether the batch goes on now; otherwise it was put back.
    private func divide(_ batch: inout PendingBatch, isToBlame: Bool, _ rejection: Rejection) async -> Bool {
        guard let request = batch.nextRequest() else { return true }
        if isToBlame || request.history.failures >= AttemptHistory.failuresBeforeSplit {
            if let halves = batch.halved() {
                window.withLock { $0.putBack([halves.0, halves.1]) }
                return false
            }
            if batch.splitNextRequest() { return mayGoOn(with: batch) }
        }
        guard isToBlame else {
            // The others go first, so that it shows whether the destination takes them.
            batch.postponeNextRequest(request)
            await postpone(batch, because: rejection.reason)
            return false
        }
        return await giveUp(request, of: &batch, rejection) && mayGoOn(with: batch)
    }

    /// Makes dead letters of the next request; false, and the batch was put back, where there is no room for them.
    private func giveUp(_ request: PendingRequest, of batch: inout PendingBatch, _ rejection: Rejection) async -> Bool {
        guard await bury(request, of: &batch, rejection) else {
            await postpone(batch, atLeast: Self.longPause, because: "no room for a dead letter: \(rejection.reason)")
            return false
        }
        warn(.deadLettered, because: rejection.reason, [signal.itemsName: "\(request.batch.items)"])
        return true
    }

    /// Whether the destination may be asked again at once; otherwise the batch is put back.
    private func mayGoOn(with batch: PendingBatch) -> Bool {
        guard isCircuitOpen, !batch.isDone else { return true }
        putBack(batch)
        return false
    }

    /// Puts a batch back to its lane, without the bytes that can be written again.
    private func putBack(_ batch: PendingBatch) {
        var batch = batch
        batch.pause()
        window.withLock { $0.putBack([batch]) }
    }

    /// Puts a batch back for a while; for good where `give_up_after` says so.
    private func postpone(
        _ batch: PendingBatch,
        atLeast pause: Duration = .zero,
        because reason: String
    ) async {
        warn(.failed, because: reason)
        var batch = batch
        if await givesUp(&batch, because: reason) { return }
        var generator = SystemRandomNumberGenerator()
        batch.notBefore = clock.now() + max(pause, batch.backoff.next(using: &generator))
        putBack(batch)
    }

    /// Makes dead letters of a batch that was tried for as long as `give_up_after` allows; true once it is done by that.
    private func givesUp(_ batch: inout PendingBatch, because reason: String) async -> Bool {
        let age = batch.nextRequest()?.history.age(at: wallClock.now()) ?? .zero
        guard let limit = retry.giveUpAfter, age >= limit else { return false }
        let rejection = Rejection(status: nil, reason: "given up after \(limit.text): \(reason)")
        while let request = batch.nextRequest(), await bury(request, of: &batch, rejection) {}
        if batch.isDone { finish(batch) }
        return batch.isDone
    }

    /// Puts both halves of a batch back for a while.
    private func postpone(_ halves: (PendingBatch, PendingBatch), because reason: String) {
        warn(.failed, because: reason)
        var generator = SystemRandomNumberGenerator()
        let waiting = [halves.0, halves.1].map { half in
            var half = half
            half.notBefore = clock.now() + half.backoff.next(using: &generator)
            return half
        }
        window.withLock { $0.putBack(waiting) }
    }

    /// Makes dead letters of the next request, which is done with then; false where there is no room for them.
    private func bury(_ request: PendingRequest, of batch: inout PendingBatch, _ rejection: Rejection) async -> Bool {
        guard let deadLetters else { return false }
        let letters = batch.letters(of: request, rejection, at: wallClock.now())
        guard await deadLetters.add(letters) else { return false }
        batch.outcomes[.deadLettered] += letters.reduce(0) { $0 + UInt64($1.items) }
        batch.completeNextRequest()
        return true
    }

    /// Settles the records of a batch whose requests are all done.
    private func finish(_ batch: PendingBatch) {
        var left = batch.outcomes
        var settled: [RecordSource: [SettledRecord]] = [:]
        for record in batch.records {
            settled[record.source, default: []].append(record.settled(taking: &left))
            shares?.settled(record.sharedBytes, of: record.metadata, wasParked: record.source == .parked)
        }
        for (source, records) in settled { readers[source]?.finish(records) }
        meters.finished(batch)
        window.withLock { $0.settle(batch) }
    }
}

extension PendingBatch {
    /// One dead letter for a request of a single record, or for each of several records.
    fileprivate func letters(of request: PendingRequest, _ rejection: Rejection, at now: UnixTime) -> [DeadLetter] {
        let history = request.history
        let parts =
            records.count == 1
            ? [(records[0], request.batch.payload, request.batch.items)]
            : records.filter { $0.payloadItems > 0 }.map { ($0, $0.payload, $0.payloadItems) }
        return parts.map { record, payload, items in
            DeadLetter(
                origin: DeadLetter.Origin(source: record.source, id: record.id),
                rejection: rejection,
                attempts: history.attempts,
                firstAttempt: history.firstAttempt ?? now,
                lastAttempt: history.lastAttempt ?? now,
                metadata: record.metadata.withoutAccount,
                payload: payload,
                items: items
            )
        }
    }
}

extension QueuedRecord {
    /// The account of a record that was sent: its part of the dead letters and of the rejected items that are `left` of
    /// its batch; all else is delivered.
    func settled(taking left: inout OutcomeCounts) -> SettledRecord {
        var outcomes = metadata.removed
        var delivered = UInt64(payloadItems)
        for outcome in [Outcome.deadLettered, .rejected] {
            let count = min(left[outcome], delivered)
            outcomes[outcome] += count
            left[outcome] -= count
            delivered -= count
        }
        outcomes[.delivered] += delivered
        return SettledRecord(
            id: id,
            items: items,
            outcomes: outcomes,
            created: metadata.created,
            isUnsent: metadata.isUnsent
        )
    }
}
