package import Basics
package import OTLP
package import Pipeline
import Synchronization

/// Chooses the MLflow experiment of each trace.
///
/// The first request that brings a span of a trace decides, by its root where it is among them, and all that come later
/// follow, because MLflow files a trace under one experiment. Never shared between identities: one client's choice says
/// nothing about another's trace of the same id.
///
/// Names of over 250 characters go to the default. What is kept is bounded: a million traces of some 30 bytes each, and
/// `max_routes` names.
package final class MLflowExperiment: RememberingProcessor, RoutingProcessor {
    /// The header by which MLflow's own clients name the experiment.
    package static let headerName = ExperimentList.headerName
    /// Traces that are remembered at most.
    package static let tracesMax = 1_000_000

    /// How long an experiment without spans keeps its place while others want it.
    private static let routeIdleTime = Duration.seconds(60)

    /// What a trace got.
    private struct Decision {
        let route: Route
        /// Whether the default stands in for a route that found no room or is too long.
        let isInsteadOfOther: Bool
    }

    package let remember: Duration
    private let name: String
    let sources: [ExperimentSource]
    let map: ExperimentMap
    let defaultRoute: Route
    private let rules: RouteMemory.Rules
    private let current: Mutex<RouteMemory>

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do; a source that is none is left out.
    package init(name: String, settings: MLflowExperimentSettings) {
        self.name = name
        remember = settings.remember
        sources = settings.from.compactMap(ExperimentSource.init)
        map = ExperimentMap(settings.map)
        defaultRoute = Route(experiment: settings.defaultExperiment)
        rules = RouteMemory.Rules(
            remember: settings.remember,
            defaultRoute: defaultRoute,
            named: settings.map.map { Route(experiment: $0.experiment) },
            countMax: settings.maxRoutes - 1,
            idleTime: min(settings.remember, Self.routeIdleTime)
        )
        current = Mutex(RouteMemory(rules, tracesMax: Self.tracesMax))
    }

    /// What is remembered.
    private var memory: RouteMemory { current.withLock { $0 } }

    package func goOn(from earlier: any RememberingProcessor) -> Bool {
        guard let earlier = earlier as? MLflowExperiment else { return false }
        let known = earlier.memory
        current.withLock { $0 = rules == earlier.rules ? known : RouteMemory(rules, continuing: known) }
        return true
    }

    package func keepRoom(for routes: Set<Route>) {
        memory.numbers.withLock { $0.name(Array(routes)) }
    }

    package func process(_ work: inout SpanWork) {
        let (traces, memory) = (RequestTraces(work.batch), memory)
        var new: [UInt32] = []
        let decisions = decisions(about: traces, work, memory, &new)
        if !new.isEmpty { work.whenRefused.append { [new] in memory.numbers.withLock { $0.withdraw(new) } } }
        work.account.add(steps: work.batch.spans.count + traces.traces.count * (sources.count + 1))
        var groups: [UInt16] = []
        for decision in decisions { groups.append(work.group(of: decision.route)) }
        var defaultedSpans = 0
        for span in work.batch.spans.indices {
            guard let trace = traces.trace(of: span) else { continue }
            work.batch.assign(span, to: groups[trace])
            if decisions[trace].isInsteadOfOther { defaultedSpans += 1 }
        }
        work.tally.add(defaultedSpans, .defaulted, by: name)
        let forgotten = memory.numbers.withLock { numbers in
            defer { numbers.forgotten = 0 }
            return numbers.forgotten
        }
        work.tally.add(forgotten, .forgottenRoutes, by: name)
    }

    /// What each trace gets, and the numbers of routes that were `new`; the spans stay as they are, so that nothing is copied.
    private func decisions(
        about traces: RequestTraces,
        _ work: SpanWork,
        _ memory: RouteMemory,
        _ new: inout [UInt32]
    ) -> [Decision] {
        // Of a whole trace the name counts only where it is bound, as for the window that put it together.
        let name = work.trace.map(\.key.identity) ?? work.source.identity?.name
        let identity = Self.hash(name)
        var choices = choices
        return traces.traces.map { decide($0, identity, &choices, work, memory, &new) }
    }

    /// Asks the sources about the traces of one request.
    var choices: ExperimentChoices { ExperimentChoices(sources, map, defaultRoute: defaultRoute) }

    package func restore(_ record: RetainedRecord) {
        let metadata = record.metadata
        guard metadata.route != .none else { return }
        for trace in record.traceIDs {
            restore(trace, route: metadata.route, identity: metadata.identity, receivedAt: record.receivedAt)
        }
    }

    /// Remembers what a trace got before, from the records that the journal retains; oldest first.
    ///
    /// - Parameters:
    ///   - trace: The trace.
    ///   - route: The route of its record; `.none` is ignored.
    ///   - identity: The name that authentication gave to the record's client.
    ///   - receivedAt: When the record was received.
    package func restore(_ trace: TraceID, route: Route, identity: String?, receivedAt: UnixTime) {
        let memory = memory
        guard route != .none, !route.isOverLong,
            let number = memory.numbers.withLock({ $0.number(of: route, at: receivedAt)?.number })
        else { return }
        _ = memory.remembered.note(number, of: .init(trace: trace, identity: Self.hash(identity)), at: receivedAt)
    }

    /// The name that authentication gave, in a fixed room.
    ///
    /// Seeded anew in each process, so that nobody can choose a name for its hash.
    private static func hash(_ identity: String?) -> UInt64 {
        identity.map { UInt64(bitPattern: Int64(ExactText($0).hashValue)) } ?? 0
    }

    private func decide(
        _ trace: RequestTraces.Trace,
        _ identity: UInt64,
        _ choices: inout ExperimentChoices,
        _ work: SpanWork,
        _ memory: RouteMemory,
        _ new: inout [UInt32]
    ) -> Decision {
        let (key, now) = (RememberedTraces.Key(trace: trace.id, identity: identity), work.receivedAt)
        let known = memory.remembered.route(of: key, at: now)
        let client = work.source.identity
        if let known, let decision = decision(known, memory, at: now), client?.mayWrite(to: decision.route) ?? true {
            return decision
        }
        let wanted = choices.choice(for: work.trace?.top ?? trace.root ?? trace.first, work).route
        // The request will be refused, and is to leave nothing behind.
        if let wanted, client?.mayWrite(to: wanted) == false { return Decision(route: wanted, isInsteadOfOther: false) }
        let given = wanted.flatMap { wanted in
            // A whole trace was accepted for where its spans may go, so that the default is no place for it.
            let isOwn = client?.experiments.map { work.trace != nil || $0.named.contains(wanted) } ?? false
            return memory.numbers.withLock { $0.number(of: wanted, isOwn: isOwn, at: now) }
        }
        if let given, given.isNew { new.append(given.number) }
        let number = given?.number ?? memory.numbers.withLock { $0.insteadOfOther }
        let noted = memory.remembered.note(number, of: key, insteadOf: known, at: now)
        return decision(noted, memory, at: now) ?? Decision(route: defaultRoute, isInsteadOfOther: true)
    }

    /// Nil for the number of a route that is forgotten.
    private func decision(_ number: UInt32, _ memory: RouteMemory, at now: UnixTime) -> Decision? {
        memory.numbers.withLock { numbers in
            numbers.route(of: number, at: now).map { route in
                Decision(route: route, isInsteadOfOther: number == numbers.insteadOfOther)
            }
        }
    }
}
