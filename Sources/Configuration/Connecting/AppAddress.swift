package import Basics
import OTLP
import Pipeline
import Receivers
import Settings

/// Where apps of this machine send to: a receiver of a pipeline file, in the words of SDKs.
package struct AppAddress: Sendable {
    /// The receiver's key in the pipeline file.
    package let receiver: String
    package let listen: ListenAddress
    /// The base address, such as `http://127.0.0.1:4318`.
    package let endpoint: String
    /// Where requests with spans go, behind the base.
    package let tracesPath: String
    /// `grpc` or `http/protobuf`, as `OTEL_EXPORTER_OTLP_PROTOCOL` has it.
    package let `protocol`: String
    /// Whether the receiver takes requests of members only.
    package let wantsCredentials: Bool
    /// Names of what the pipelines behind the receiver take: `traces`, `metrics`, `logs`.
    package let signals: Set<String>
    /// Exporters of those pipelines that take spans, in the order of the file.
    package let exporters: [String]

    /// Nil for a receiver that no SDK can send to, or whose port the system chooses.
    fileprivate init?(_ receiver: Configured<any ReceiverSettings>, of file: PipelineFile) {
        let settings = receiver.settings
        guard let listen = settings.address, case .tcp(_, let port) = listen, port > 0, let speech = settings.speech
        else {
            return nil
        }
        self.receiver = receiver.name
        self.listen = listen
        endpoint = "\(settings.tls == nil ? "http" : "https")://\(listen.reachable)"
        tracesPath = (settings as? OTLPHTTPReceiverSettings)?.tracesPath ?? Signal.traces.defaultPath
        self.protocol = speech == .grpc ? "grpc" : "http/protobuf"
        wantsCredentials = settings.auth != nil
        let pipelines = file.pipelines.map(\.value).filter { $0.receivers.contains(receiver.name) }
        signals = Set(pipelines.flatMap(\.takenSignals).map(\.name))
        let exporters = Set(pipelines.filter { $0.takenSignals.contains(.traces) }.flatMap(\.exporters))
        self.exporters = file.exporters.map(\.name).filter(exporters.contains)
    }
}

extension PipelineFile {
    /// Where apps can send to, those that speak HTTP first.
    package var appAddresses: [AppAddress] {
        let all = receivers.compactMap { AppAddress($0, of: self) }
        return all.filter { $0.protocol != "grpc" } + all.filter { $0.protocol == "grpc" }
    }
}

extension ListenAddress {
    /// The same as this machine itself reaches it: loopback in the place of all addresses.
    package var reachable: ListenAddress {
        guard case .tcp(let host, let port) = self else { return self }
        return .tcp(host: ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host, port: port)
    }
}
