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

    /// As `stop`, of a receiver that others take the place of: clients that keep their connections are answered once more, with the
    /// word to connect again, before those without a request are closed.
    func leave(within limit: Duration) async

    /// Why nothing comes to it that should, such as a stream that is not there; nil while all is well, and for one that listens.
    var trouble: String? { get }

    /// Reads what it needs to take the place of another receiver at its address; fails where that cannot be had.
    func getReady() async throws
    /// Goes on where it listens with the settings of another receiver, which is ready and not started: connections stay, and new
    /// requests get the other's settings.
    ///
    /// False, and nothing has changed, where it cannot: then the other one has to be started.
    func goOn(as other: any Receiver) async -> Bool
}

extension Receiver {
    package var trouble: String? { nil }
    package func leave(within limit: Duration) async { await stop(within: limit) }
    package func getReady() async throws {}
    package func goOn(as other: any Receiver) async -> Bool { false }
}
