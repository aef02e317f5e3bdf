package import Basics

/// Where a server listens.
package enum ListenAddress: Hashable, Sendable {
    /// A host name or an IP address without brackets, and a port; port 0 lets the system choose.
    case tcp(host: String, port: Int)
    /// A socket in the file system.
    case unix(path: String)
}

extension ListenAddress: CustomStringConvertible {
    /// The forms that `init(text:)` reads, for messages.
    package static let form = #"an address, such as "127.0.0.1:4318", "[::1]:4318" or "unix:/run/millrace.sock""#

    /// The longest path that fits a `sockaddr_un` with its terminating zero.
    private static let pathBytesMax = 107

    /// Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; nil for anything else.
    package init?(text: String) {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst("unix:".count)
            guard !path.isEmpty, path.utf8.count <= Self.pathBytesMax, !path.utf8.contains(0) else { return nil }
            self = .unix(path: String(path))
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ $0.isDigit }), let port = UInt16(digits) else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]") else { return nil }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self = .tcp(host: String(host), port: Int(port))
    }

    /// The form that `init(text:)` reads.
    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// Why a server cannot listen.
package struct ListenError: Error, Equatable, CustomStringConvertible {
    /// Where it was told to listen.
    package let address: ListenAddress
    /// What the operating system says.
    package let reason: String

    package init(address: ListenAddress, reason: String) {
        self.address = address
        self.reason = reason
    }

    /// The address and the reason.
    package var description: String { "cannot listen on \(address): \(reason)" }
}

package struct OTLPHTTPReceiverSettings: Sendable {
    package var listen = ListenAddress.tcp(host: "127.0.0.1", port: 4318)
    package var tracesPath = "/v1/traces"
    package var metricsPath = "/v1/metrics"
    package var logsPath = "/v1/logs"
    package var maxBody = ByteCount.mebibytes(64)
    package var maxConnections = 4096
    package var headerTimeout = Duration.seconds(10)
    package var bodyTimeout = Duration.seconds(30)
    package var idleTimeout = Duration.seconds(120)
    package var forwardHeaders: [String] = []
}

package struct MLflowMapSettings: Sendable {
    package var conventions: [String] = []
    package var rules: [JSONNode] = []
    package var keepSource = true
}

package struct MLflowExperimentSettings: Sendable {
    package var from = ["header", "resource.service.name"]
    package var map: [Named<String>] = []
    package var defaultExperiment = "Default"
    package var create = true
    package var remember = Duration.seconds(600)
    package var maxRoutes = 1000
}

package struct SampleSettings: Sendable {
    package var ratio = 1.0
    package var keep: JSONNode?
}

package struct BatchSettings: Sendable {
    package var spans = 500
    package var bytes = ByteCount.mebibytes(4)
    package var linger = Duration.milliseconds(200)
}

package enum Compression: Sendable, Equatable {
    case gzip, none, auto
}

package enum ReaderStart: Sendable, Equatable {
    case newest, oldest
}

package struct RetrySettings: Sendable {
    package var initial = Duration.seconds(1)
    package var max = Duration.seconds(60)
}

package struct TLSSettings: Sendable {
    package var ca: String?
    package var certificate: String?
    package var key: String?
    package var serverName: String?
    package var verify = true
}

package struct DeliverySettings: Sendable {
    package var timeout = Duration.seconds(30)
    package var concurrency = 4
    package var compression = Compression.auto
    package var headers: [HTTPHeader] = []
    package var batch: BatchSettings?
    package var retry = RetrySettings()
    package var start = ReaderStart.newest
    package var tls = TLSSettings()
    package var proxy: String?
}

package struct MLflowExporterSettings: Sendable {
    package var endpoint = ""
    package var username: String?
    package var password: String?
    package var token: String?
    package var delivery = DeliverySettings()
}

package enum OTLPEncoding: Sendable, Equatable {
    case protobuf, json
}

package struct OTLPHTTPExporterSettings: Sendable {
    package var endpoint: String?
    package var tracesEndpoint: String?
    package var encoding = OTLPEncoding.protobuf
    package var delivery = DeliverySettings()
}

package struct FileExporterSettings: Sendable {
    package var path = ""
    package var format = OTLPEncoding.json
    package var delivery = DeliverySettings()
}

package enum ConsoleStyle: Sendable, Equatable {
    case tree, line
}

package struct ConsoleExporterSettings: Sendable {
    package var style = ConsoleStyle.tree
    package var delivery = DeliverySettings()
}

package enum JournalStorage: Sendable, Equatable {
    case disk, memory
}

package enum SyncPolicy: Sendable, Equatable {
    case everyGroup
    case interval(Duration)
    case never
}

package enum FullPolicy: Sendable, Equatable {
    case reject, dropOldest
}

package struct JournalSettings: Sendable {
    package var directory = "millrace-data"
    package var storage = JournalStorage.disk
    package var sync = SyncPolicy.everyGroup
    package var maxBytes = ByteCount.gibibytes(2)
    package var minFree = ByteCount.mebibytes(256)
    package var maxAge = Duration.seconds(168 * 3600)
    package var segment = ByteCount.mebibytes(64)
    package var whenFull = FullPolicy.reject
}
