package import Basics
import Synchronization

/// MLflow's experiments and OTLP endpoint as far as exporters see them, behind the HTTP client seam.
package final class FakeMLflow: HTTPClient {
    /// What a test may change between requests.
    package struct State: Sendable {
        package var version = "3.17.2"
        /// Whether `/version` is a time-out.
        package var isVersionSilent = false
        /// By name.
        package var experiments: [String: (id: String, isDeleted: Bool)] = [:]
        package var nextID = 1
        /// Answers of the OTLP endpoint that come before its own, first to last.
        package var nextAnswers: [Result<HTTPResponse, HTTPFailure>] = []
        /// Answers of the REST interface that come before its own, first to last.
        package var nextRESTAnswers: [Result<HTTPResponse, HTTPFailure>] = []
        /// Every request so far, oldest first.
        package fileprivate(set) var requests: [HTTPRequest] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// Changes what the server knows.
    package func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
    }

    /// Every request so far, oldest first.
    package var requests: [HTTPRequest] { state.withLock { $0.requests } }
    /// The last part of each URL's path.
    package var calls: [String] {
        requests.map { String($0.url.split(separator: "/").last?.prefix { $0 != "?" } ?? "") }
    }
    /// The experiment ids that traces were sent to.
    package var experimentIDs: [String] {
        requests.filter { $0.url.hasSuffix("/v1/traces") }.map { $0.header("x-mlflow-experiment-id") ?? "none" }
    }

    package func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        let result = state.withLock { state in
            state.requests.append(request)
            return state.answer(request)
        }
        await Task.yield()
        guard !Task.isCancelled else { throw .cancelled }
        return try result.get()
    }
}

extension FakeMLflow.State {
    fileprivate mutating func answer(_ request: HTTPRequest) -> Result<HTTPResponse, HTTPFailure> {
        if request.url.hasSuffix("/v1/traces") {
            guard nextAnswers.isEmpty else { return nextAnswers.removeFirst() }
            let id = request.header("x-mlflow-experiment-id") ?? ""
            let exists = id == "0" || experiments.values.contains { $0.id == id }
            return exists ? .reply(200) : Self.missing("No Experiment with id=\(id) exists")
        }
        if request.url.hasSuffix("/version") {
            return isVersionSilent ? .failure(.timedOut) : .reply(200, version)
        }
        guard nextRESTAnswers.isEmpty else { return nextRESTAnswers.removeFirst() }
        return rest(request)
    }

    private mutating func rest(_ request: HTTPRequest) -> Result<HTTPResponse, HTTPFailure> {
        let body = try? JSONNode(parsing: request.body)
        if let query = request.url.split(separator: "?experiment_name=").dropFirst().first {
            guard let known = experiments.first(where: { Self.encoded($0.key) == query }) else {
                return Self.missing("Could not find experiment")
            }
            return Self.found(known.value)
        }
        if let id = request.url.split(separator: "?experiment_id=").dropFirst().first {
            guard let known = experiments.values.first(where: { $0.id == id }) else {
                return Self.missing("No Experiment with id=\(id) exists")
            }
            return Self.found(known)
        }
        if request.url.hasSuffix("/create"), let name = body?["name"]?.string {
            guard experiments[name] == nil else {
                return .reply(400, #"{"error_code":"RESOURCE_ALREADY_EXISTS","message":"already exists"}"#)
            }
            experiments[name] = ("\(nextID)", false)
            nextID += 1
            return .reply(200, #"{"experiment_id":"\#(nextID - 1)"}"#)
        }
        if request.url.hasSuffix("/restore"), let id = body?["experiment_id"]?.string,
            let name = experiments.first(where: { $0.value.id == id })?.key
        {
            experiments[name]?.isDeleted = false
            return .reply(200, "{}")
        }
        return .reply(200, "{}")
    }

    private static func found(_ experiment: (id: String, isDeleted: Bool)) -> Result<HTTPResponse, HTTPFailure> {
        let stage = experiment.isDeleted ? "deleted" : "active"
        return .reply(200, #"{"experiment":{"experiment_id":"\#(experiment.id)","lifecycle_stage":"\#(stage)"}}"#)
    }

    private static func missing(_ message: String) -> Result<HTTPResponse, HTTPFailure> {
        .reply(404, #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"\#(message)"}"#)
    }

    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let character = Character(Unicode.Scalar(byte))
            let isPlain = character.isASCII && (character.isLetter || character.isNumber || "-._~".contains(character))
            let digits = String(byte, radix: 16, uppercase: true)
            return isPlain ? String(character) : "%" + (digits.count < 2 ? "0" : "") + digits
        }.joined()
    }
}
