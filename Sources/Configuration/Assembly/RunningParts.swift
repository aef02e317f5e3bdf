import Basics
import Journal
import Pipeline
import Processors
import Receivers
import Settings

/// What one pipeline file has become; another file changes some of it.
struct RunningParts: Sendable {
    var file: PipelineFile
    let exporters: ExporterSet
    var deliveries: [Delivery]
    /// Those of exporters that the file has no more: they deliver what was there for them.
    var leaving: [Delivery] = []
    var deadLetters: [DeadLetterBox]
    /// By pipeline.
    var chains: [String: ProcessorChain]
    /// By pipeline.
    var windows: [String: WindowStage]
    /// When nothing is on its way into the journal that came before the last change.
    var intakeEnd: IntakeLease.End
    /// Where the answers of receivers wait that have `answer_after`, by receiver.
    var answers: [String: DeliveryAnswers]
    /// Those that others have taken the place of, and where somebody may still wait.
    var earlierAnswers: [DeliveryAnswers] = []
    /// What receivers hand requests to, by receiver.
    var intakes: [String: CurrentIntake] = [:]
    /// By name.
    var receivers: [String: any Receiver] = [:]
    var leavingReceivers: [LeavingReceiver] = []
    /// Whether the process is told to stop.
    var isStopping = false

    var allAnswers: [DeliveryAnswers] { Array(answers.values) + earlierAnswers }

    /// Builds everything that stands around the journal of a process that starts.
    ///
    /// Blocks while processors learn from the journal what they knew before.
    init(_ file: PipelineFile, exporters: ExporterSet, on ground: Ground) throws {
        let store = ground.store
        self.file = file
        self.exporters = exporters
        deadLetters = store.deadLetters
        deliveries = try file.deliveries(
            from: store,
            to: exporters,
            recording: ground.telemetry,
            meters: ground.meters,
            logger: ground.logger
        )
        chains = try file.chains(of: store.journal, clock: .system)
        windows = file.windowStages(
            of: store,
            store.recovered,
            chains: chains,
            memory: ground.memory,
            meters: ground.meters,
            logger: ground.logger
        )
        answers = file.answers(of: deliveries, ground)
        let lease = IntakeLease()
        intakeEnd = lease.end
        for (receiver, gateway) in file.gateways(chains, answers, ground, lease) {
            intakes[receiver] = CurrentIntake(gateway)
        }
        let connections = file.connectionLimits(
            within: ground.descriptors,
            eventLoops: ground.eventLoops.count,
            logger: ground.logger
        )
        for receiver in file.receivers {
            guard let intake = intakes[receiver.name] else { continue }
            receivers[receiver.name] = file.make(receiver, before: intake, within: connections[receiver.name], ground)
        }
        OTLPReceiver.shareListeners(among: file.receivers.compactMap { receivers[$0.name] })
    }
}

extension PipelineFile {
    /// The front halves of the pipelines that read each receiver, put together.
    func gateways(
        _ chains: [String: ProcessorChain],
        _ answers: [String: DeliveryAnswers],
        _ ground: Ground,
        _ lease: IntakeLease
    ) -> [String: any Intake] {
        let fronts = fronts(chains, counting: ground.tallies)
        return receivers.reduce(into: [:]) { gateways, receiver in
            let gateway = Gateway(
                fronts: fronts.filter { $0.receiver == receiver.name }.map(\.front),
                journal: ground.store.journal,
                clock: .system,
                deviations: ground.deviations,
                shares: ground.store.shares,
                condition: ground.readiness.journal,
                costs: requestCost,
                identities: ground.identities(at: receiver.name),
                line: ground.line,
                hold: receiver.settings.hold,
                answers: answers[receiver.name],
                lease: lease
            )
            gateways[receiver.name] = ground.telemetry.map { TracedIntake(gateway, $0) } ?? gateway
        }
    }

    /// Where the answers of receivers wait that have `answer_after`, by receiver.
    func answers(of deliveries: [Delivery], _ ground: Ground) -> [String: DeliveryAnswers] {
        receivers.reduce(into: [:]) { answers, receiver in
            let names = awaitedExporters(of: receiver)
            guard !names.isEmpty else { return }
            let read = pipelines.filter { $0.value.receivers.contains(receiver.name) }.map(\.name)
            let awaited = deliveries.filter { delivery in
                names.contains(delivery.name) && delivery.log.map { read.contains($0.pipeline) } ?? false
            }
            answers[receiver.name] = DeliveryAnswers(
                exporter: names.sorted().joined(separator: ", "),
                refusesDeadLetters: receiver.settings.awaitsAll,
                timeout: receiver.settings.answerTimeout,
                deliveries: awaited,
                awaited: ground.awaited
            )
        }
    }

    /// A receiver, not yet started.
    func make(
        _ receiver: Configured<any ReceiverSettings>,
        before intake: CurrentIntake,
        within connections: Int?,
        _ ground: Ground
    ) -> any Receiver {
        var context = ReceiverContext(
            name: receiver.name,
            intake: intake,
            memory: ground.memory,
            eventLoops: ground.eventLoops,
            meters: ground.meters,
            logger: ground.logger
        )
        let sharers = listeners.first { $0.contains { $0.name == receiver.name } } ?? []
        context.sockets = sharers.flatMap { ground.sockets[$0.name] }
        context.connectionsMax = connections
        context.processorHeaders = processorHeaders(after: receiver.name)
        context.pipeline = pipelines.first { $0.value.receivers.contains(receiver.name) }?.name ?? ""
        if journal.storage == .disk { context.stateDirectory = journal.directory }
        context.report = ground.report
        if ground.telemetry != nil { context.processorHeaders.append(TraceParent.headerName) }
        return receiver.settings.makeReceiver(in: context)
    }
}
