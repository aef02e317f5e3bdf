import Basics
import Configuration
import HTTPClient

/// Where a trace that was sent can be looked at, and how far it has come, as the process that has it tells.
struct DemoWhereabouts {
    /// How long destinations are waited for, and between two looks.
    private static let patience = Duration.seconds(10)
    private static let interval = Duration.milliseconds(200)
    /// For a question to MLflow.
    private static let timeout = Duration.seconds(2)

    private let trace: DemoTrace
    private let receiver: AppAddress
    private let file: PipelineFile
    /// The experiment that a record of the trace names.
    private var experiment: String?

    init(of trace: DemoTrace, behind receiver: AppAddress, in file: PipelineFile) {
        (self.trace, self.receiver, self.file) = (trace, receiver, file)
    }

    /// For a person; waits for destinations.
    mutating func lines() async -> [String] {
        do {
            let states = try await settledStates()
            var lines = ["look at it:"]
            if let page = file.pageAddress { lines.append("  console page  \(page)") }
            lines += try await destinationLines(states)
            return lines
        } catch {
            return ["where it goes is not told: \(error)"]
        }
    }

    /// The states of destinations by their names, once none waits or patience ends; empty where the journal holds the trace no more.
    private mutating func settledStates() async throws -> [String: String] {
        let end = ContinuousClock.now + Self.patience
        while true {
            let records = try await ask("/api/traces?id=\(trace.id)")["records"]?.elements ?? []
            experiment = records.lazy.compactMap { $0["experiment"]?.string }.first ?? experiment
            let states = Self.states(records)
            guard states.values.contains("queued"), ContinuousClock.now < end else { return states }
            try await Task.sleep(for: Self.interval)
        }
    }

    private static func states(_ records: [JSONNode]) -> [String: String] {
        let order = ["settled", "queued", "dead letter"]
        var states: [String: String] = [:]
        for destination in records.flatMap({ $0["destinations"]?.elements ?? [] }) {
            guard let name = destination["name"]?.string, let state = destination["state"]?.string else { continue }
            let known = states[name].flatMap(order.firstIndex) ?? -1
            if order.firstIndex(of: state) ?? -1 > known { states[name] = state }
        }
        return states
    }

    private func destinationLines(_ states: [String: String]) async throws -> [String] {
        let exporters = try await ask("/api/config")["file"]?["exporters"]
        let status = try await ask("/api/status")
        var lines: [String] = []
        for name in receiver.exporters {
            let settings = exporters?[name]
            let type = settings?["type"]?.string
            var place = settings?["endpoint"]?.string ?? settings?["path"]?.string ?? ""
            if type == "mlflow" { place = try await mlflowPage(at: place) }
            let state = Self.text(of: states[name] ?? "settled", Self.error(of: name, in: status))
            lines.append("  \(name)  \([place, state].filter { !$0.isEmpty }.joined(separator: "  "))")
        }
        return lines
    }

    private static func text(of state: String, _ error: String?) -> String {
        switch state {
        case "settled": "(nothing waits)"
        case "queued": "(waits\(error.map { ": \($0)" } ?? " still"))"
        default: "(\(state)\(error.map { ": \($0)" } ?? ""))"
        }
    }

    /// What the destination last said against what it was sent; nil where it has taken something since.
    private static func error(of exporter: String, in status: JSONNode) -> String? {
        let rows = (status["pipelines"]?.elements ?? []).flatMap { $0["destinations"]?.elements ?? [] }
        return rows.lazy.filter { row in
            row["name"]?.string == exporter && row["delivery"]?["failures_in_a_row"]?.integer ?? 0 > 0
        }
        .compactMap { $0["delivery"]?["error"]?["reason"]?.string }.first
    }

    /// The list of traces of the experiment where MLflow answers without credentials, else of all experiments.
    private func mlflowPage(at endpoint: String) async throws -> String {
        let endpoint = String(endpoint.reversed().drop { $0 == "/" }.reversed())
        var name = experiment
        if name == nil { name = try await experimentOfService() }
        guard let name else { return "\(endpoint)/#/experiments" }
        let path = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=\(name.percentEncoded)"
        let request = HTTPRequest(method: "GET", url: endpoint + path, headers: [], body: [], timeout: Self.timeout)
        var connection = ConnectionSettings()
        connection.connectTimeout = Self.timeout
        let answer = try? await CurlClient.once(request, over: connection).get()
        let id = answer.flatMap { try? JSONNode(parsing: $0.body) }?["experiment"]?["experiment_id"]?.string
        guard let id else { return "\(endpoint)/#/experiments, experiment \"\(name)\"" }
        return "\(endpoint)/#/experiments/\(id)/traces, experiment \"\(name)\""
    }

    /// Where spans of the demo go that the journal holds no more.
    private func experimentOfService() async throws -> String? {
        let rows = try await ask("/api/services")["services"]?.elements ?? []
        let age = { (row: JSONNode) in row["last_seen_seconds_ago"]?.double ?? 0 }
        let newest = rows.filter { $0["service"]?.string == DemoTrace.service }.min { age($0) < age($1) }
        return newest?["experiment"]?.string
    }

    private func ask(_ path: String) async throws -> JSONNode {
        try JSONNode(parsing: Array(try await file.askRunning("GET", path).utf8))
    }
}
