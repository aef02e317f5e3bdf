import Basics
import Configuration
import HTTPClient
import Pipeline

/// The page of MLflow on which traces of an experiment are listed.
struct MLflowPage {
    /// For a question to MLflow.
    private static let timeout = Duration.seconds(2)

    /// MLflow's base address without a slash at its end.
    let endpoint: String
    /// Where its traces go; nil where that is not known.
    let route: Route?

    init(at endpoint: String, of route: Route?) {
        self.endpoint = String(endpoint.reversed().drop { $0 == "/" }.reversed())
        self.route = route
    }

    /// The list of traces of the experiment where MLflow tells its id without credentials, else of all experiments.
    var address: String {
        get async {
            switch route {
            case nil: return "\(endpoint)/#/experiments"
            // MLflow's first experiment has what no processor routes.
            case .some(.none): return list(of: "0")
            case .experimentID(let id): return list(of: id)
            case .experimentName(let name):
                let place = await id(of: name).map(list) ?? "\(endpoint)/#/experiments"
                return "\(place), experiment \"\(name)\""
            }
        }
    }

    private func list(of id: String) -> String { "\(endpoint)/#/experiments/\(id)/traces" }

    private func id(of name: String) async -> String? {
        let path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=\(name.percentEncoded)"
        let request = HTTPRequest(method: "GET", url: endpoint + path, headers: [], body: [], timeout: Self.timeout)
        var connection = ConnectionSettings()
        connection.connectTimeout = Self.timeout
        let answer = try? await CurlClient.once(request, over: connection).get()
        return answer.flatMap { try? JSONNode(parsing: $0.body) }?["experiment"]?["experiment_id"]?.string
    }
}
