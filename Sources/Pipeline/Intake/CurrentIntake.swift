package import OTLP
import Synchronization

/// The joint between a receiver and its pipelines: requests go to the intake that is current when they come.
///
/// A reload puts another one in its place between two requests; what the earlier one has taken it also answers. Any thread.
package final class CurrentIntake: Intake {
    private let current: Mutex<any Intake>

    package init(_ intake: any Intake) {
        current = Mutex(intake)
    }

    package var signals: Set<Signal> { current.withLock { $0 }.signals }

    /// From now on requests go there.
    package func replace(with intake: any Intake) {
        current.withLock { $0 = intake }
    }

    package func accept(
        _ request: IncomingRequest,
        ticket: UInt64,
        observer: any IntakeObserver
    ) -> IntakeAnswer? {
        current.withLock { $0 }.accept(request, ticket: ticket, observer: observer)
    }
}
