package import Admin
import Basics
import Pipeline
import Processors
import Receivers
import Synchronization

// Another pipeline file in the place of the one that runs.
//
// All that may fail comes first and leaves what runs as it is: the comparison of the two files, then the new parts, built beside
// the old ones. What follows cannot fail: each joint is given its new part between two requests, and what an old part has begun
// it also ends.
extension Assembly {
    /// Takes another file; one at a time, as `Reloader` does.
    ///
    /// - Parameters:
    ///   - file: A checked file whose tests have passed.
    ///   - abandoning: Exporters that are gone from the file and whose undelivered items are given up.
    ///   - thread: Builds what waits for the disk.
    /// - Throws: Why it is not taken; nothing has changed then.
    func take(
        _ file: PipelineFile,
        abandoning: [String],
        building thread: SerialThread
    ) async throws(PipelineFileError) {
        let old = parts.withLock { $0 }
        guard !old.isStopping else { throw PipelineFileError(lines: ["the process is about to stop"]) }
        let check = ReloadCheck(from: old.file, to: file)
        let held = heldBack(by: old, from: file, abandoning: abandoning)
        guard check.lines.isEmpty, held.isEmpty else { throw PipelineFileError(lines: check.lines + held) }
        let chains = try await chains(of: file, continuing: old, building: thread)
        let new = try await define(file, building: thread)
        let changed = old.exporters.take(file, insteadOf: old.file)
        let deliveries = newDeliveries(new, file, old)
        parts.withLock { parts in
            parts.file = file
            parts.chains = chains
            parts.deliveries += deliveries
            parts.takeAnswers(file.answers(of: parts.deliveries, ground))
            for (receiver, gateway) in file.gateways(chains, parts.answers, ground) {
                parts.intakes[receiver]?.replace(with: gateway)
            }
        }
        startDelivering(deliveries)
        changeDeliveries(to: file, changed)
        await dismissDeliveries(of: file, abandoning: abandoning)
        noteConfiguration(of: file)
    }

    /// Lets the admin endpoint ask for reloads.
    package func answerReloads(by reload: @escaping @Sendable (ReloadRequest) async -> ReloadAnswer) {
        reloading.withLock { $0 = reload }
    }

    private func chains(
        of file: PipelineFile,
        continuing old: RunningParts,
        building thread: SerialThread
    ) async throws(PipelineFileError) -> [String: ProcessorChain] {
        let journal = journal
        let result = await thread.run { () -> Result<[String: ProcessorChain], any Error> in
            Result { try file.chains(of: journal, clock: .system, continuing: old.chains) }
        }
        do {
            return try result.get()
        } catch {
            throw PipelineFileError(lines: [file.source.line(at: ["processors"], "\(error)")])
        }
    }

    /// Shows in `/metrics` which file runs.
    func noteConfiguration(of file: PipelineFile) {
        ground.meters.info("millrace_config_info", ["hash": file.source.digest])
    }

    /// Shows whether the file was taken when it was last read, and what was wrong with it.
    func noteReload(_ answer: ReloadAnswer) {
        let isTaken = answer.problems.isEmpty
        ground.lastReload.note(isTaken: isTaken)
        let text = answer.problems.first ?? "hash \(answer.digest.prefix(12))"
        ground.meters.events.add(isTaken ? .reloaded : .reloadRefused, text, at: WallClock.system.now())
    }
}

extension RunningParts {
    /// Puts answers that wait for exporters in the place of those that waited otherwise, which go on for who waits there.
    fileprivate mutating func takeAnswers(_ new: [String: DeliveryAnswers]) {
        earlierAnswers.removeAll { $0.isIdle }
        for (receiver, answers) in self.answers where new[receiver]?.waitsLike(answers) != true {
            self.answers[receiver] = nil
            earlierAnswers.append(answers)
        }
        for (receiver, answers) in new where self.answers[receiver] == nil { self.answers[receiver] = answers }
    }
}

/// When a pipeline file was last taken, and whether one was refused since.
final class LastReload: Sendable {
    private struct State {
        var isTaken = true
        var takenAt: UnixTime
    }

    private let clock: WallClock
    private let state: Mutex<State>

    init(clock: WallClock = .system) {
        self.clock = clock
        state = Mutex(State(takenAt: clock.now()))
    }

    /// Registers what it shows.
    func register(with meters: Meters) {
        meters.gauge("millrace_config_last_reload_success") { self.state.withLock { $0.isTaken } ? 1 : 0 }
        meters.gauge("millrace_config_last_reload_success_timestamp_seconds") {
            Double(self.state.withLock { $0.takenAt.nanoseconds }) / 1e9
        }
    }

    func note(isTaken: Bool) {
        state.withLock { state in
            state.isTaken = isTaken
            if isTaken { state.takenAt = clock.now() }
        }
    }
}
