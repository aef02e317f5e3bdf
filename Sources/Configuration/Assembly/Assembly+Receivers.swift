import Basics
import OTLP
import Pipeline
import Receivers
import Settings
import Synchronization

// Receivers that come, change and go while the process runs.

/// What becomes of receivers with another pipeline file.
struct ReceiverChange {
    /// Those that are new, or listen elsewhere; started.
    var started: [String: any Receiver] = [:]
    /// What new ones hand requests to.
    var intakes: [String: CurrentIntake] = [:]
    /// What those are to go on as that stay where they listen; ready.
    var changed: [String: any Receiver] = [:]
    /// Names of those that listen no more, or elsewhere.
    var gone: Set<String> = []
}

extension Assembly {
    /// How long a receiver that goes has for the requests in hand.
    private static let farewell = Duration.seconds(8)

    /// Makes the receivers that are new or changed, and lets those listen that have no address yet; they answer 503 until the file is
    /// taken.
    ///
    /// - Throws: Which one cannot; none of them listens then.
    func readyReceivers(
        of file: PipelineFile,
        insteadOf old: RunningParts,
        building thread: SerialThread
    ) async throws(PipelineFileError) -> ReceiverChange {
        var change = ReceiverChange()
        let limits = file.connectionLimits(
            within: ground.descriptors,
            eventLoops: ground.eventLoops.count,
            logger: ground.logger
        )
        for receiver in file.receivers where file.sets(receiver, otherwiseThan: old.file) {
            let (name, limit) = (receiver.name, limits[receiver.name])
            let intake = old.intakes[name] ?? CurrentIntake(ClosedIntake(signals: file.signals(of: name)))
            // Files of members are read.
            let made = await thread.run { [ground] in file.make(receiver, before: intake, within: limit, ground) }
            if file.keepsPlace(of: receiver, from: old.file, ground.sockets) {
                change.changed[name] = made
            } else {
                change.started[name] = made
                change.intakes[name] = intake
                if old.receivers[name] != nil { change.gone.insert(name) }
            }
        }
        change.gone.formUnion(old.receivers.keys.filter { name in !file.receivers.contains { $0.name == name } })
        OTLPReceiver.shareListeners(among: file.receivers.compactMap { change.started[$0.name] })
        // Those that listen first: what takes from elsewhere begins there, where all can be had.
        let order =
            file.receivers.filter { $0.settings.address != nil }
            + file.receivers.filter { $0.settings.address == nil }
        for receiver in order {
            do {
                try await change.changed[receiver.name]?.getReady()
                try await change.started[receiver.name]?.start()
            } catch {
                for made in change.started.values { await made.stop(within: .zero) }
                let path = ["receivers", receiver.name, "listen"]
                throw PipelineFileError(lines: [file.source.line(at: path, "\(error)")])
            }
        }
        return change
    }

    /// Lets receivers go on as they are to, and those end that are gone.
    func finish(_ change: ReceiverChange, _ old: RunningParts) async {
        for (name, made) in change.changed { _ = await old.receivers[name]?.goOn(as: made) }
        for name in change.gone {
            guard let receiver = old.receivers[name] else { continue }
            let leaving = LeavingReceiver(receiver)
            parts.withLock { $0.leavingReceivers.append(leaving) }
            work.start(leaving) { [leaving] in
                await receiver.leave(within: Self.farewell)
                self.parts.withLock { parts in parts.leavingReceivers.removeAll { $0 === leaving } }
            }
        }
    }
}

/// A receiver that is gone from the pipeline file, and answers what it has.
final class LeavingReceiver: Sendable {
    let receiver: any Receiver

    init(_ receiver: any Receiver) {
        self.receiver = receiver
    }
}

/// Takes nothing yet: the pipeline file that has the receiver is not taken.
private struct ClosedIntake: Intake {
    let signals: Set<Signal>

    func accept(_ request: IncomingRequest, ticket: UInt64, observer: any IntakeObserver) -> IntakeAnswer? {
        .unavailable("the receiver is about to open", retryAfter: .seconds(1))
    }
}

extension PipelineFile {
    /// What the pipelines behind a receiver take.
    fileprivate func signals(of receiver: String) -> Set<Signal> {
        Set(pipelines.filter { $0.value.receivers.contains(receiver) }.flatMap(\.value.takenSignals))
    }

    /// Whether a receiver is another one than in an earlier file, as far as it knows.
    fileprivate func sets(_ receiver: Configured<any ReceiverSettings>, otherwiseThan old: PipelineFile) -> Bool {
        guard let known = old.receivers.first(where: { $0.name == receiver.name }) else { return true }
        return !receiver.isSet(as: known)
            || processorHeaders(after: receiver.name) != old.processorHeaders(after: receiver.name)
    }

    /// Whether a receiver listens where it did in an earlier file, and shares that with the same others.
    func keepsPlace(
        of receiver: Configured<any ReceiverSettings>,
        from old: PipelineFile,
        _ sockets: GivenSockets
    ) -> Bool {
        guard let known = old.receivers.first(where: { $0.name == receiver.name }), known.type == receiver.type else {
            return false
        }
        let isGiven = !sockets[receiver.name].isEmpty
        return (isGiven || receiver.settings.keepsPlace(of: known.settings))
            && sharers(of: receiver.name) == old.sharers(of: receiver.name)
    }

    /// Names of the receivers that have one listener with that one, itself included.
    func sharers(of receiver: String) -> Set<String> {
        Set((listeners.first { $0.contains { $0.name == receiver } } ?? []).map(\.name))
    }
}
