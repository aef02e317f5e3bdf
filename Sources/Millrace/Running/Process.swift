import Basics
import Configuration
import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// The running process: this method is the map.
///
/// - Throws: `JournalError` or `AssemblyError`, or what a receiver or the admin endpoint says when it cannot listen.
func runProcess(
    _ file: PipelineFile,
    sockets: GivenSockets,
    abandoning: [String],
    logger: Logger
) async throws {
    ProcessUsage.tuneAllocator(for: file.memoryLimit)
    // Before anybody can see that the process is ready: a signal that nothing traps would end it at once.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
    let descriptors = ProcessUsage.raiseDescriptorLimit()
    let assembly = try Assembly(
        file,
        sockets: sockets,
        abandoning: abandoning,
        descriptors: descriptors,
        logger: logger
    )
    let group = ServiceGroup(
        configuration: ServiceGroupConfiguration(
            services: [
                .init(service: MemoryService()),
                .init(service: JournalService(journal: assembly.journal)),
                .init(service: AdminService(admin: assembly.admin)),
                .init(service: ReceiverService(assembly: assembly)),
                .init(service: DeliveryService(assembly: assembly, logger: logger)),
            ],
            logger: quiet
        )
    )
    try await withThrowingTaskGroup { tasks in
        tasks.addTask { await obey(signals, group, logger: logger) }
        try await group.run()
        tasks.cancelAll()
    }
    logger.info("stopped")
}

/// What the service group says of itself is of no use to an operator.
private let quiet = Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }

/// SIGTERM and SIGINT drain, a second one ends at once: whatever is acknowledged is on disk.
private func obey(_ signals: UnixSignalsSequence, _ group: ServiceGroup, logger: Logger) async {
    var isStopping = false
    for await signal in signals {
        switch signal {
        case .sighup:
            logger.warning("SIGHUP is ignored: restart to read the pipeline file again")
        case _ where isStopping:
            logger.warning("stopped at once; what is undelivered stays in the journal")
            exit(0)
        default:
            isStopping = true
            logger.info("stopping", metadata: ["signal": "\(signal)"])
            await group.triggerGracefulShutdown()
        }
    }
}
