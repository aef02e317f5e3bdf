import Basics
import Configuration
import Pipeline

/// Where a trace that was sent can be looked at, and how far it has come, as the process that has it tells.
struct DemoWhereabouts {
    /// How long destinations are waited for, beside what windows wait for, and how long a window may take.
    private static let patience = Duration.seconds(10)
    private static let windowMax = Duration.seconds(30)
    /// Between two looks: the first, and the longest.
    private static let intervals = (first: Duration.milliseconds(100), longest: Duration.seconds(1))

    /// Looks at counters, which rise with the answer, until it is certain that another process took the trace.
    private static let looksMax = 4

    /// What is told of a trace.
    struct Report {
        let lines: [String]
        /// Whether every destination has all of it.
        let isDelivered: Bool
    }

    let trace: DemoTrace
    /// Where it was sent to; nil for a host or port that is not known.
    let address: ListenAddress?
    /// How the process stood before.
    let before: ProcessLook
    /// Tells where the process is.
    let process: PipelineFile

    /// Waits for destinations; nil where the process has not taken the trace: another one listens there.
    func report() async throws -> Report? {
        let receivers = before.receivers(at: address)
        let pipelines = before.pipelines(behind: receivers)
        let waits = pipelines.compactMap { before.window(of: $0)?.wait }.filter { $0 <= Self.windowMax }
        let wait = waits.max() ?? .zero
        let end = ContinuousClock.now + Self.patience + wait
        var (looks, interval) = (0, Self.intervals.first)
        while true {
            let isLast = ContinuousClock.now >= end
            if let fates = try await fates(triesAgain: !isLast) {
                // Counters tell of a trace only where it was sent to this process: what others send counts there as well.
                let takers = pipelines.filter { fates.isTaken(by: $0, asCounted: !receivers.isEmpty) }
                let ends = takers.flatMap(fates.after.destinations).map { ($0, fates.fate(at: $0)) }
                looks += 1
                if takers.isEmpty, looks == Self.looksMax { return nil }
                if !takers.isEmpty, isLast || ends.allSatisfy({ isDecided($0.1) }) { return await report(ends, fates) }
            }
            try await Task.sleep(for: interval)
            interval = min(interval * 2, Self.intervals.longest)
        }
    }

    /// Whether waiting for more is of no use.
    private func isDecided(_ fate: DemoFate) -> Bool {
        if case .isInWindow(_, let wait) = fate { return wait > Self.windowMax }
        return fate.isSettled
    }

    /// One look; nil where the process looks for another trace and is to be asked again.
    private func fates(triesAgain: Bool) async throws -> DemoFates? {
        do {
            let records = try await process.answer("/api/traces?id=\(trace.id)")["records"]?.elements ?? []
            // Later than the records: what has left them is counted.
            return DemoFates(before: before, after: try await ProcessLook(asking: process), records: records)
        } catch let failure as AdminFailure where failure.isForLater && triesAgain {
            return nil
        }
    }

    private func report(
        _ ends: [(destination: ProcessLook.Destination, fate: DemoFate)],
        _ fates: DemoFates
    ) async -> Report {
        var lines = ["look at it:"]
        if let page = process.pageAddress(shownOn: .standardOutput) { lines.append("  console page  \(page)") }
        for (destination, fate) in ends {
            let isOnly = ends.count { $0.destination.exporter == destination.exporter } == 1
            let name = isOnly ? destination.exporter : "\(destination.pipeline)/\(destination.exporter)"
            let place = await place(of: destination, fate, fates)
            lines.append("  \(name)  \([place, "(\(fate.text))"].filter { !$0.isEmpty }.joined(separator: "  "))")
        }
        return Report(lines: lines, isDelivered: !ends.isEmpty && ends.allSatisfy { $0.fate == .delivered })
    }

    /// Where a destination is; of MLflow the page that shows the trace.
    private func place(of destination: ProcessLook.Destination, _ fate: DemoFate, _ fates: DemoFates) async -> String {
        let settings = fates.after.file["exporters"]?[destination.exporter]
        let place = DestinationPlace(settings).text
        guard settings?["type"]?.string == "mlflow" else { return place }
        return await MLflowPage(at: place, of: route(to: destination, fates)).address
    }

    /// Nil before it is known.
    private func route(to destination: ProcessLook.Destination, _ fates: DemoFates) -> Route? {
        let last = fates.records.first { record in
            record["pipeline"]?.string == destination.pipeline && record["signal"]?.string == "traces"
                && (record["destinations"]?.elements ?? []).contains { $0["name"]?.string == destination.exporter }
        }
        return last.map { $0["experiment"]?.string.map(Route.init(experiment:)) ?? Route.none }
    }
}
