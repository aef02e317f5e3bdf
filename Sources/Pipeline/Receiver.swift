/// Takes telemetry from outside and hands it to an `Intake`.
package protocol Receiver: Sendable {
    /// Begins to accept; the error says which address and why.
    func start() async throws
    /// Goes on taking requests, with answers that tell each client to connect again for the next one.
    ///
    /// - Parameter refusing: New requests are answered 503; returns once the earlier ones are answered, or after a second.
    func prepareToStop(refusing: Bool) async
    /// Answers what it has received, and refuses after `limit` what is not complete by then; then closes.
    func stop(within limit: Duration) async
}
