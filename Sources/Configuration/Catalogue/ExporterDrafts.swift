import Basics
import Exporters
import MLflow
import OTLP
import Pipeline

// Exporters as the file sets them: what must be given is absent until it was read.

struct MLflowDraft: Sendable {
    var endpoint: HTTPEndpoint?
    var username: String?
    var password: String?
    var token: String?
    var workspace: String?
    var runID: String?
    var traceNames = MLflowSettings.TraceNames.otlp
    var http = HTTPDraft(timeout: MLflowSettings.defaultTimeout, concurrency: MLflowSettings.defaultConcurrency)
    var reading = ReadingSettings()

    private var credentials: MLflowCredentials {
        if let token { return .token(token) }
        guard let username, let password else { return .none }
        return .basic(username: username, password: password)
    }

    var settings: ExporterSettings? {
        guard let endpoint else { return nil }
        let settings = MLflowSettings(
            endpoint: endpoint,
            credentials: credentials,
            workspace: workspace,
            runID: runID,
            traceNames: traceNames,
            headers: http.headers,
            compression: http.compression,
            timeout: http.timeout,
            concurrency: http.concurrency,
            connection: http.connection
        )
        return ExporterSettings(destination: .mlflow(settings), reading: reading)
    }
}

struct OTLPHTTPDraft: Sendable {
    var endpoint: HTTPEndpoint?
    var tracesEndpoint: HTTPEndpoint?
    var encoding = BodyEncoding.protobuf
    var http = HTTPDraft(timeout: OTLPHTTPSettings.defaultTimeout, concurrency: OTLPHTTPSettings.defaultConcurrency)
    var reading = ReadingSettings()

    var settings: ExporterSettings {
        let settings = OTLPHTTPSettings(
            endpoint: endpoint,
            signalEndpoints: tracesEndpoint.map { [.traces: $0] } ?? [:],
            encoding: encoding,
            headers: http.headers,
            compression: http.compression,
            timeout: http.timeout,
            concurrency: http.concurrency,
            connection: http.connection
        )
        return ExporterSettings(destination: .otlpHTTP(settings), reading: reading)
    }
}

/// Requests and connections of an exporter that speaks HTTP.
struct HTTPDraft: Sendable {
    var timeout: Duration
    var concurrency: Int
    var compression = CompressionSetting.auto
    var headers: [HTTPHeader] = []
    var connection = ConnectionSettings()
}

struct FileDraft: Sendable {
    var path: String?
    var format = FileSettings.Format.json
    var rotation: FileSettings.Rotation?
    var reading = ReadingSettings()

    var settings: ExporterSettings? {
        path.map { path in
            let settings = FileSettings(path: path, format: format, rotation: rotation)
            return ExporterSettings(destination: .file(settings), reading: reading)
        }
    }
}

struct ConsoleDraft: Sendable {
    var console = ConsoleSettings()
    var reading = ReadingSettings()

    var settings: ExporterSettings { ExporterSettings(destination: .console(console), reading: reading) }
}
