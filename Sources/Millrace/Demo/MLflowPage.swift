import Basics
import Configuration
import HTTPClient

/// The page of MLflow on which traces of an experiment are listed.
struct MLflowPage {
    /// For a question to MLflow.
    private static let timeout = Duration.seconds(2)

    /// MLflow's base address without a slash at its end.
    let endpoint: String
    /// A name, or an id where all of it is digits; nil where that is not known.
    let experiment: String?

    init(at endpoint: String, of experiment: String?) {
        self.endpoint = String(endpoint.reversed().drop { $0 == "/" }.reversed())
        self.experiment = experiment
    }

    /// The list of traces of the experiment where MLflow tells its id without credentials, else of all experiments.
    var address: String {
        get async {
            guard let experiment else { return "\(endpoint)/#/experiments" }
            let isID = experiment.utf8.allSatisfy(\.isDigit)
            let id = isID ? experiment : await id(of: experiment)
            guard let id else { return "\(endpoint)/#/experiments, experiment \"\(experiment)\"" }
            return "\(endpoint)/#/experiments/\(id)/traces" + (isID ? "" : ", experiment \"\(experiment)\"")
        }
    }

    private func id(of name: String) async -> String? {
        let path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=\(name.percentEncoded)"
        let request = HTTPRequest(method: "GET", url: endpoint + path, headers: [], body: [], timeout: Self.timeout)
        var connection = ConnectionSettings()
        connection.connectTimeout = Self.timeout
        let answer = try? await CurlClient.once(request, over: connection).get()
        return answer.flatMap { try? JSONNode(parsing: $0.body) }?["experiment"]?["experiment_id"]?.string
    }
}
