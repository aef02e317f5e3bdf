import Basics
import MLflow
import OTLP

/// Names delivered traces over REST, for servers that read no name from a span (3.6).
///
/// The best that can be done: a name that cannot be set does not bring the batch back, because its spans are stored.
struct TraceNames: Sendable {
    /// The tag behind the name column.
    private static let tag = "mlflow.traceName"
    /// Characters of a name, at most; a longer one is refused.
    private static let charactersMax = 4096

    let server: MLflowServer
    let client: any HTTPClient

    /// Sets the name of every trace whose root is in the request; returns what went wrong, empty for nothing.
    func set(for payload: [UInt8]) async -> String {
        guard let batch = try? SpanBatch(payload) else { return "" }
        for span in batch.spans where span.flaw == nil && span.parentID == nil {
            let name = Self.name(of: span, in: batch)
            guard !name.isEmpty else { continue }
            let path = "/api/2.0/mlflow/traces/tr-\(span.traceID)/tags"
            do throws(HTTPFailure) {
                let request = server.send("PATCH", path, ["key": Self.tag, "value": name])
                let response = try await client.send(request)
                guard response.isSuccess else { return "traces are not named: \(MLflowProblem(response).message)" }
            } catch {
                return "traces are not named: no answer"
            }
        }
        return ""
    }

    /// What the app or a processor chose, or the name of the root.
    private static func name(of span: SpanEntry, in batch: SpanBatch) -> String {
        if let index = batch.attribute("mlflow.traceTag.mlflow.traceName", in: span.attributes),
            case .string(let text) = batch.value(of: index), !text.isEmpty
        {
            return String(batch.text(text).prefix(charactersMax))
        }
        return String(batch.text(span.name).prefix(charactersMax))
    }
}
