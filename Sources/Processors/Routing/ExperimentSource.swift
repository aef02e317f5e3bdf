import Basics
import MLflow
import OTLP
import Pipeline

/// Where the name of an experiment may come from.
enum ExperimentSource: Equatable, Sendable {
    /// The request header `x-mlflow-experiment-id`.
    case header
    /// The name that authentication gave.
    case identity
    /// A resource attribute.
    case resource([UInt8])
    /// An attribute of the root or, where it is not there, of the trace's first span.
    case attribute([UInt8])

    /// Nil for a text that names no source.
    init?(_ text: String) {
        switch text {
        case "header": self = .header
        case "auth": self = .identity
        case _ where text.hasPrefix("resource."): self = .resource(Array(text.utf8.dropFirst("resource.".utf8.count)))
        case _ where text.hasPrefix("attribute."):
            self = .attribute(Array(text.utf8.dropFirst("attribute.".utf8.count)))
        default: return nil
        }
    }

    /// What it says about the trace of a span; nil where it says nothing.
    func value(for span: Int, _ work: SpanWork) -> String? {
        let value: String?
        switch self {
        case .header: value = work.source.header(MLflowExperiment.headerName).map(trimmed)
        case .identity: value = work.source.identity?.name
        case .resource(let key):
            let scope = work.batch.scopes[work.batch.spans[span].scope]
            value = text(of: key, in: work.batch.resources[scope.resource].attributes, work.batch)
        case .attribute(let key):
            value = text(of: key, in: work.batch.spans[span].attributes, work.batch)
        }
        return value.flatMap { $0.isEmpty ? nil : $0 }
    }

    private func trimmed(_ text: String) -> String {
        String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }

    private func text(of key: [UInt8], in attributes: Range<Int>, _ batch: SpanBatch) -> String? {
        let bytes = batch.bytes.span.bytes
        guard let attribute = bytes.attribute(key, in: attributes, of: batch) else { return nil }
        switch batch.value(of: attribute) {
        case .string(let range): return batch.text(range)
        case .int(let number): return "\(number)"
        case .empty, .bool, .double, .bytes, .array, .keyValueList: return nil
        }
    }
}

extension ExperimentSource: CustomStringConvertible {
    /// As the pipeline file writes it.
    var description: String {
        switch self {
        case .header: "header"
        case .identity: "auth"
        case .resource(let key): "resource." + String(decoding: key, as: UTF8.self)
        case .attribute(let key): "attribute." + String(decoding: key, as: UTF8.self)
        }
    }
}
