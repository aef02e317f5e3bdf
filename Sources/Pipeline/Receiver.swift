/// Takes telemetry from outside and hands it to an `Intake`.
package protocol Receiver: Sendable {
    /// Begins to accept; the error says which address and why.
    func start() async throws
    /// Accepts nothing new, answers what it has received for at most as long as given, and closes.
    func stop(within limit: Duration) async
}
