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
    /// Reads the pipeline file again, and takes it where nothing is wrong with it.
    ///
    /// - Parameter file: The file that whoever asks means; nil for that of the process, which another one is refused for.
    func reload(_ file: String?) async -> ReloadAnswer
}

/// What became of a pipeline file that was to be taken by the running process.
package struct ReloadAnswer: Sendable, Equatable {
    /// SHA-256 of its text in hexadecimal; empty where it could not be read.
    package let digest: String
    /// Why nothing has changed, as lines of `validate`; empty where the file was taken.
    package let problems: [String]
    /// What is odd about the file, in such lines.
    package let warnings: [String]

    package init(digest: String = "", problems: [String] = [], warnings: [String] = []) {
        self.digest = digest
        self.problems = problems
        self.warnings = warnings
    }
}
