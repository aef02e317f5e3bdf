import Basics

/// How somebody names an experiment.
package enum ExperimentReference: Sendable {
    case name(String)
    /// All digits.
    case id(String)
}

/// Two names are one only where their bytes are, as for MLflow: what is known of one says nothing of its other Unicode forms.
extension ExperimentReference: Hashable {
    private var key: (isID: Bool, text: ExactText) {
        switch self {
        case .name(let name): (false, ExactText(name))
        case .id(let id): (true, ExactText(id))
        }
    }

    package static func == (lhs: ExperimentReference, rhs: ExperimentReference) -> Bool { lhs.key == rhs.key }

    package func hash(into hasher: inout Hasher) {
        let (isID, text) = key
        hasher.combine(isID)
        hasher.combine(text)
    }
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
