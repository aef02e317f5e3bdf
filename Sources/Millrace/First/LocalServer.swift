import Basics
import Configuration
import Settings

/// A server that `millrace init` looks for: where a variable says, else where it listens by default on this machine.
struct LocalServer {
    enum Look {
        /// Its address, and how that is known.
        case found(address: String, text: String)
        /// What was looked for in vain.
        case missing(String)
    }

    static let mlflow = LocalServer(exporter: "mlflow", title: "MLflow", variable: "MLFLOW_TRACKING_URI", port: 5000)
    static let all = [
        mlflow,
        LocalServer(exporter: "phoenix", title: "Phoenix", variable: "PHOENIX_COLLECTOR_ENDPOINT", port: 6006),
    ]

    let exporter: String
    let title: String
    let variable: String
    let port: Int

    /// Blocks for a moment.
    func look() -> Look {
        if let named = Environment.process.variable(variable), !named.isEmpty {
            if let reason = Self.refusal(of: named) { return .missing("\(variable) \(reason)") }
            return .found(address: named, text: "\(variable) names \(title) at \(named)")
        }
        let address = "http://127.0.0.1:\(port)"
        guard ListenAddress.tcp(host: "127.0.0.1", port: port).isAnswered else {
            return .missing("\(variable) is not set, and no \(title) listens at \(address)")
        }
        return .found(address: address, text: "\(title) seems to listen at \(address)")
    }

    /// Why an address cannot be taken; nil where it can.
    static func refusal(of address: String) -> String? {
        guard ["http://", "https://"].contains(where: address.lowercased().hasPrefix) else {
            return "names no server by http:// or https://"
        }
        let authority = address.drop { $0 != ":" }.dropFirst(3).prefix { $0 != "/" }
        return authority.contains("@")
            ? "has a user in the address: MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD are the place for it"
            : nil
    }

    /// What a pipeline file says of it; an address that a person gave for the file is kept whatever variables say later.
    func exporter(at address: String, isGiven: Bool = false) -> FirstFile.Exporter {
        guard exporter == Self.mlflow.exporter else {
            return (exporter, ["type": "otlp_http", "preset": .text(exporter)])
        }
        let written = address.replacing("$", with: "$$")
        let endpoint = isGiven ? written : "${env:\(variable):-\(written)}"
        let settings: JSON = ["type": "mlflow", "endpoint": .text(endpoint)]
        return (exporter, settings.adding(Self.credentials))
    }

    /// Those that MLflow's own client reads.
    private static var credentials: JSON {
        let isSet = { (name: String) in Environment.process.variable(name).map { !$0.isEmpty } ?? false }
        if isSet("MLFLOW_TRACKING_TOKEN") { return ["token": "${env:MLFLOW_TRACKING_TOKEN}"] }
        guard isSet("MLFLOW_TRACKING_USERNAME"), isSet("MLFLOW_TRACKING_PASSWORD") else { return [:] }
        return ["username": "${env:MLFLOW_TRACKING_USERNAME}", "password": "${env:MLFLOW_TRACKING_PASSWORD}"]
    }
}
