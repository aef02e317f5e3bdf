/// How somebody names an experiment.
package enum ExperimentReference: Hashable, Sendable {
    case name(String)
    /// All digits.
    case id(String)
}

/// What is known of an experiment's id.
package enum ExperimentLookup: Sendable, Equatable {
    /// All digits, never empty.
    case found(id: String)
    /// MLflow cannot say now.
    case unavailable(reason: String, retryAfter: Duration?)
    /// The server was away: the one that answers next may have another database, and no remembered id is certain.
    case unreachable(reason: String, retryAfter: Duration?)
    /// It will not say before somebody acts: refused credentials, a deleted experiment, creation not allowed.
    case parked(reason: String)
    /// MLflow could not be asked, because no request can hold the name.
    case unsendable(reason: String)
    /// The task was cancelled.
    case cancelled
}
