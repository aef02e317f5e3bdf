import Basics
import Pipeline
import Synchronization

/// What `mlflow_experiment` remembers of traces and routes.
///
/// A reload hands it over to the processor that takes the place of the one that filled it.
final class RouteMemory: Sendable {
    /// What the pipeline file says about it.
    struct Rules: Sendable, Equatable {
        let remember: Duration
        let defaultRoute: Route
        /// Routes that the file names.
        let named: [Route]
        /// Other routes at most.
        let countMax: Int
        let idleTime: Duration
    }

    let remembered: RememberedTraces
    let numbers: Mutex<RouteNumbers>

    /// Remembers nothing yet.
    init(_ rules: Rules, tracesMax: Int) {
        remembered = RememberedTraces(remember: rules.remember, tracesMax: tracesMax)
        numbers = Mutex(
            RouteNumbers(
                defaultRoute: rules.defaultRoute,
                named: rules.named,
                countMax: rules.countMax,
                idleTime: rules.idleTime
            )
        )
    }

    /// Begins with what an earlier one remembers at this moment.
    init(_ rules: Rules, continuing earlier: RouteMemory) {
        // The numbers second: every one that is remembered has a meaning among them.
        remembered = RememberedTraces(continuing: earlier.remembered, remember: rules.remember)
        numbers = Mutex(
            RouteNumbers(
                continuing: earlier.numbers.withLock { $0 },
                defaultRoute: rules.defaultRoute,
                named: rules.named,
                countMax: rules.countMax,
                idleTime: rules.idleTime
            )
        )
    }
}
