import Basics
import Configuration
import Glibc
import Journal
import Logging
import ServiceLifecycle
import Settings
import UnixSignals

/// The running process: this method is the map.
///
/// - Throws: `JournalError` or `AssemblyError`, or what a receiver or the admin endpoint says when it cannot listen.
func runProcess(
    _ file: PipelineFile,
    from path: String?,
    watching: Bool,
    lifeline: Lifeline?,
    sockets: GivenSockets,
    abandoning: [String],
    log: LogControl,
    logger: Logger
) async throws {
    ProcessUsage.tuneAllocator(for: file.memoryLimit)
    // Before anybody can see that the process is ready: a signal that nothing traps would end it at once.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    logger.info(
        "starting",
        metadata: [
            "version": "\(Product.version)", "journal": "\(file.journal.directory)",
            "exporters": "\(file.exporters.map(\.name).joined(separator: ","))",
        ]
    )
    let descriptors = ProcessUsage.raiseDescriptorLimit()
    let assembly = try Assembly(
        file,
        sockets: sockets,
        abandoning: abandoning,
        descriptors: descriptors,
        logger: logger
    )
    let reloader = Reloader(assembly, path: path, logger: logger) { log.change($0.log) }
    assembly.answerReloads { await reloader.reload($0) }
    let greeting = lifeline == nil ? Greeting(file, from: path) : nil
    let group = ServiceGroup(
        configuration: ServiceGroupConfiguration(
            services: [
                .init(service: MemoryService()),
                .init(service: JournalService(assembly: assembly)),
                .init(
                    service: AdminService(admin: assembly.admin, directory: file.journal.directory, lifeline: lifeline)
                ),
                .init(service: ReceiverService(assembly: assembly, greeting: greeting, lifeline: lifeline)),
                .init(service: DeliveryService(assembly: assembly, lifeline: lifeline, logger: logger)),
                .init(service: FirstItemService(assembly: assembly, logger: logger)),
                .init(service: WatchService(watch: watching ? path.map { FileWatch($0) } : nil, reloader: reloader)),
            ],
            logger: quiet
        )
    )
    lifeline?.stopAtItsEnd()
    try await withThrowingTaskGroup { tasks in
        tasks.addTask { [journal = assembly.journal, keeps = assembly.keepsUndelivered] in
            await obey(signals, group, journal, reloader, keepsUndelivered: keeps, logger: logger)
        }
        try await group.run()
        tasks.cancelAll()
    }
    logger.info("stopped")
}

/// What the service group says of itself is of no use to an operator.
private let quiet = Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }

/// SIGHUP reads the pipeline file again; SIGTERM and SIGINT drain, a second one ends at once: whatever is acknowledged is on disk, unless the journal is in memory.
private func obey(
    _ signals: UnixSignalsSequence,
    _ group: ServiceGroup,
    _ journal: Journal,
    _ reloader: Reloader,
    keepsUndelivered: Bool,
    logger: Logger
) async {
    let fate = keepsUndelivered ? "what is undelivered stays in the journal" : "what is undelivered is lost"
    var isStopping = false
    for await signal in signals {
        switch signal {
        case .sighup:
            // What becomes of it is logged; signals are heard meanwhile.
            Task { await reloader.reload() }
        case _ where isStopping:
            // What is delivered already need not be delivered again.
            journal.persistCursors()
            logger.warning("stopped at once; \(fate)")
            LogSink.standardError.flush()
            exit(0)
        default:
            isStopping = true
            logger.info("stopping", metadata: ["signal": "\(signal)"])
            await group.triggerGracefulShutdown()
        }
    }
}
