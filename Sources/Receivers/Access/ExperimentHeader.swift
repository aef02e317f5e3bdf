import Basics
import Pipeline

/// Which experiments requests may ask for by header, whatever a processor makes of it later.
struct ExperimentHeader: Sendable {
    /// `allow_header`; nil for all.
    private let allowed: ExperimentList?
    /// Whether exporters send the header along, past all routing.
    private let isForwarded: Bool

    init(_ settings: ReceptionSettings) {
        allowed = settings.allowHeader.map { ExperimentList($0) }
        isForwarded = settings.forwardHeaders.contains { $0.lowercased() == ExperimentList.headerName }
    }

    /// Whether a request of that client has to be looked at.
    func concerns(_ identity: Identity?) -> Bool {
        allowed != nil || isForwarded && identity?.experiments != nil
    }

    /// Why a request with these values of the header is refused; nil where it is not.
    func refusal(_ values: [String], of identity: Identity?) -> HTTPError? {
        for value in values.map({ $0[...].trimmed }) where !value.isEmpty {
            let route = Route(experiment: String(value))
            if let allowed, !allowed.contains(route) {
                return .forbidden(route, allowed: "\(allowed)")
            }
            if isForwarded, let identity, !identity.mayWrite(to: route) {
                return .forbidden(route, allowed: identity.experiments.map { "\($0)" } ?? "")
            }
        }
        return nil
    }
}

extension HTTPError {
    fileprivate static func forbidden(_ route: Route, allowed: String) -> HTTPError {
        let names = allowed.isEmpty ? "none" : allowed
        return HTTPError(.forbidden, "\(ExperimentList.headerName) asks for \(route); allowed: \(names)")
    }
}
