import Basics
import Settings

/// Asks MLflow for experiments over its REST interface.
struct ExperimentRequests: Sendable {
    /// One step on the way from a name to an id.
    enum Step: Equatable {
        case settled(ExperimentLookup)
        /// There is no such experiment.
        case missing
        /// An experiment has that name already.
        case exists
        /// It has that id, and was deleted.
        case deleted(id: String)
    }

    private static let path = "/api/2.0/mlflow/experiments"

    let server: MLflowServer
    let client: any HTTPClient
    let wallClock: WallClock
    /// Whether experiments may be created and restored.
    let mayCreate: Bool
    /// What may be restored: whoever sends spans can name any experiment, but not bring back what somebody has deleted.
    let restorable: Set<ExperimentReference>

    /// The whole way: finds the experiment, creates or restores it where that is allowed.
    func lookUp(_ experiment: ExperimentReference) async -> ExperimentLookup {
        // A second round is for an experiment that somebody else created or removed between two steps.
        for _ in 0..<2 {
            var step = await find(experiment)
            if step == .missing {
                guard case .name(let name) = experiment else { return .parked(reason: "MLflow has no such experiment") }
                guard mayCreate else { return .parked(reason: "it does not exist, and creating it is not allowed") }
                step = await create(name)
            }
            if case .deleted(let id) = step {
                guard mayCreate else { return .parked(reason: "it was deleted, and restoring it is not allowed") }
                guard restorable.contains(experiment) else {
                    return .parked(reason: "it was deleted, and only experiments of the pipeline file are restored")
                }
                step = await restore(id)
            }
            if case .settled(let lookup) = step { return lookup }
        }
        return .unavailable(reason: "MLflow neither finds nor creates it", retryAfter: nil)
    }

    private func find(_ experiment: ExperimentReference) async -> Step {
        switch experiment {
        case .name(let name): return await find("get-by-name", ("experiment_name", name))
        case .id(let id):
            let step = await find("get", ("experiment_id", id))
            // Whoever may not ask may be allowed to send all the same.
            guard case .settled(.parked) = step else { return step }
            return .settled(.found(id: id))
        }
    }

    private func find(_ method: String, _ query: (name: String, value: String)) async -> Step {
        await ask(server.get("\(Self.path)/\(method)", query: query)) { response, problem in
            guard response.status == 200 else {
                return response.status == 404 && problem.code == "RESOURCE_DOES_NOT_EXIST" ? .missing : nil
            }
            let experiment = (try? JSONNode(parsing: response.body))?["experiment"]
            guard let id = experiment?["experiment_id"]?.string, Self.isID(id) else { return nil }
            return experiment?["lifecycle_stage"]?.string == "deleted" ? .deleted(id: id) : .settled(.found(id: id))
        }
    }

    private func create(_ name: String) async -> Step {
        await ask(server.send("POST", "\(Self.path)/create", ["name": name])) { response, problem in
            guard response.status == 200 else { return problem.code == "RESOURCE_ALREADY_EXISTS" ? .exists : nil }
            let id = (try? JSONNode(parsing: response.body))?["experiment_id"]?.string
            return id.flatMap { Self.isID($0) ? .settled(.found(id: $0)) : nil }
        }
    }

    private func restore(_ id: String) async -> Step {
        await ask(server.send("POST", "\(Self.path)/restore", ["experiment_id": id])) { response, problem in
            if response.status == 200 { return .settled(.found(id: id)) }
            // Restored by somebody else, or gone for good: the next round sees which.
            return problem.code == "INVALID_PARAMETER_VALUE" || problem.code == "RESOURCE_DOES_NOT_EXIST"
                ? .missing : nil
        }
    }

    /// An id as MLflow gives and takes them; an empty one would make it drop the data and answer 200.
    static func isID(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(\.isDigit)
    }

    /// Sends a request; `read` returns nil for an answer that is not one of the step's own.
    private func ask(_ request: HTTPRequest, read: (HTTPResponse, MLflowProblem) -> Step?) async -> Step {
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await client.send(request)
        } catch {
            return .settled(Self.lookup(after: error))
        }
        let problem = MLflowProblem(response)
        return read(response, problem) ?? .settled(trouble(response, problem))
    }

    private static func lookup(after failure: HTTPFailure) -> ExperimentLookup {
        switch failure {
        case .unreachable(let reason): .unreachable(reason: reason, retryAfter: nil)
        case .noCredentials(let reason, let after): .unavailable(reason: reason, retryAfter: after)
        case .unsendable(let reason): .unsendable(reason: "MLflow cannot be asked for it: \(reason)")
        case .timedOut: .unavailable(reason: "MLflow did not answer in time", retryAfter: nil)
        case .responseTooLarge: .parked(reason: "the answer is too large to be MLflow's")
        case .cancelled: .cancelled
        }
    }

    private func trouble(_ response: HTTPResponse, _ problem: MLflowProblem) -> ExperimentLookup {
        let reason = "status \(response.status): \(problem.message)"
        let pause = response.retryAfter(now: wallClock.now())
        return switch response.status {
        case 200..<300: .parked(reason: "the answer is not MLflow's: \(problem.message)")
        case 401, 403: .parked(reason: "MLflow refuses the credentials (\(response.status)): \(problem.message)")
        // A proxy without a server behind it.
        case 502 where !problem.isFromMLflow, 503 where !problem.isFromMLflow:
            .unreachable(reason: reason, retryAfter: pause)
        case 400 where problem.isTransient: .unavailable(reason: reason, retryAfter: pause)
        // MLflow stumbles over this one experiment, not over everything.
        case 500 where problem.isFromMLflow && !problem.isTransient:
            .parked(reason: "MLflow fails on it (500): \(problem.message)")
        case 408, 429, 500, 502...599: .unavailable(reason: reason, retryAfter: pause)
        default: .parked(reason: "MLflow refuses it (\(response.status)): \(problem.message)")
        }
    }
}
