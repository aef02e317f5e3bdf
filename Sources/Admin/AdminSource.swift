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
    /// What the console page draws (pipelines/docs/console.md).
    var statusJSON: [UInt8] { get }
    /// What came from which service for which experiment.
    var servicesJSON: [UInt8] { get }
    /// The pipeline file with its defaults, secrets masked.
    var configurationJSON: [UInt8] { get }
    /// Lets a destination be sent nothing, or again.
    func set(paused isPaused: Bool, _ destination: ConsoleDestination) -> DeadLetterOffice.Answer
    /// Begins to show requests.
    ///
    /// - Throws: What is wrong with the wish.
    func tail(_ wish: TailWish) throws(TailProblem) -> any AdminTail
    /// A request that somebody watches, whole, while that is kept.
    func answer(_ request: TailRequest) async -> DeadLetterOffice.Answer
    /// What the journal still holds of a trace, its id in hexadecimal digits.
    func answer(trace id: String) async -> DeadLetterOffice.Answer
    /// Lists, shows, replays or purges dead letters.
    func answer(_ request: DeadLetterOffice.Request) async -> DeadLetterOffice.Answer
    /// Reads the pipeline file again, and takes it where nothing is wrong with it.
    func reload(_ request: ReloadRequest) async -> ReloadAnswer
}

/// What is asked of the running process about its pipeline file.
package struct ReloadRequest: Sendable, Equatable {
    /// The file that is meant; another one than that of the process is refused; nil for that one, whatever its name.
    package var file: String?
    /// Exporters that are gone from the file and whose undelivered items are given up.
    package var abandoning: [String]

    package init(file: String? = nil, abandoning: [String] = []) {
        self.file = file
        self.abandoning = abandoning
    }
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

/// Requests that one person watches.
package protocol AdminTail: Sendable {
    /// What came since it was asked last, as one JSON text; nil for nothing. Never blocks.
    func take() -> [UInt8]?
    /// Ends it.
    func leave()
}
