package import Pipeline

/// What the admin endpoint shows.
///
/// Asked on the endpoint's own thread for every request; must not block.
package protocol AdminSource: Sendable {
    /// Why the process is not ready to take requests; empty when it is.
    var unreadyReasons: [String] { get }
    /// The ledger, in the JSON form that README and dashboards know.
    var ledgerJSON: [UInt8] { get }
    /// Everything counted, in Prometheus text form.
    var metricsText: String { get }
    /// Lists, shows, replays or purges dead letters.
    func answer(_ request: DeadLetterOffice.Request) async -> DeadLetterOffice.Answer
}
