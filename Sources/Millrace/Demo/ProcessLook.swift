import Basics
import Configuration

/// One look at the running process: its pipeline file as it counts now, and its counters, of which differences tell what became of what
/// was sent between two looks.
struct ProcessLook {
    /// One exporter of one pipeline.
    struct Destination: Hashable {
        let pipeline: String
        let exporter: String
    }

    let file: JSONNode
    private let pipelines: [JSONNode]

    /// - Throws: `AdminFailure` where no process answers, or `JSONSyntaxError`.
    init(asking process: PipelineFile) async throws {
        let configuration = try await process.answer("/api/config")
        file = configuration["file"] ?? configuration
        let status = try await process.answer("/api/status")
        pipelines = (status["pipelines"]?.elements ?? []).filter { $0["signal"]?.string == "traces" }
    }

    /// Receivers that listen at an address; none where that is not known.
    func receivers(at base: ListenAddress?) -> [String] {
        guard let base else { return [] }
        return (file["receivers"]?.members ?? []).filter { receiver in
            receiver.node["listen"]?.string.flatMap { ListenAddress(text: $0) }?.reachable == base.reachable
        }
        .map(\.name)
    }

    /// Pipelines behind these receivers; of all where there are none.
    func pipelines(behind receivers: [String]) -> [String] {
        (file["pipelines"]?.members ?? []).filter { pipeline in
            let own = (pipeline.node["receivers"]?.elements ?? []).compactMap(\.string)
            return receivers.isEmpty || own.contains(where: receivers.contains)
        }
        .map(\.name)
    }

    /// Where spans of a pipeline go.
    func destinations(of pipeline: String) -> [Destination] {
        rows(of: pipeline).filter { $0["window"]?.bool != true && $0["delivery"]?.members != nil }
            .compactMap { $0["name"]?.string }.map { Destination(pipeline: pipeline, exporter: $0) }
    }

    /// The processor behind which a pipeline's traces are put together, and how long it waits for more of one that has a root.
    func window(of pipeline: String) -> (name: String, wait: Duration)? {
        let names = (file["pipelines"]?[pipeline]?["processors"]?.elements ?? []).compactMap(\.string)
        for name in names {
            let wait = file["processors"]?[name]?["after_root"]?.string.flatMap { Duration(text: $0) }
            if let wait { return (name, wait) }
        }
        return nil
    }

    /// The row of a destination.
    func row(of destination: Destination) -> JSONNode? {
        rows(of: destination.pipeline).first { $0["name"]?.string == destination.exporter }
    }

    /// How many spans a destination's row counts by that word.
    func count(_ word: String, of destination: Destination) -> Int { row(of: destination)?[word]?.integer ?? 0 }

    /// Spans that a pipeline's receivers took.
    func accepted(by pipeline: String) -> Int {
        (entry(pipeline)?["receivers"]?.members ?? []).reduce(0) { $0 + Int($1.node["accepted"]?.double ?? 0) }
    }

    /// How many spans processors of a pipeline removed, by processor and the ledger's word for it.
    func removals(in pipeline: String) -> [[String]: Int] {
        (entry(pipeline)?["processors"]?.members ?? []).reduce(into: [:]) { removals, processor in
            for word in ["filtered", "sampled_out"] {
                let count = Int(processor.node["\(word)_spans"]?.double ?? 0)
                if count > 0 { removals[[word, processor.name]] = count }
            }
        }
    }

    private func entry(_ pipeline: String) -> JSONNode? { pipelines.first { $0["name"]?.string == pipeline } }

    private func rows(of pipeline: String) -> [JSONNode] { entry(pipeline)?["destinations"]?.elements ?? [] }
}

extension PipelineFile {
    /// What the process that has the journal says at a path.
    ///
    /// - Throws: `AdminFailure` or `JSONSyntaxError`.
    func answer(_ path: String) async throws -> JSONNode {
        try JSONNode(parsing: Array(try await askRunning("GET", path).utf8))
    }
}
