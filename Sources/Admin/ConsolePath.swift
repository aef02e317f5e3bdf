import Basics
import NIOHTTP1

/// What the console page asks for, beside dead letters, by path.
enum ConsolePath: Equatable {
    /// A part of the page itself, the same for everybody.
    case file(ConsoleFile)
    case status, services, configuration
    /// `statusJSON` once a second, for as long as the client listens; where `tail` is there, also the requests that it
    /// asks for.
    case stream(tail: TailWish?)
    /// `/api/traces?id=ID`.
    case trace(String)
    /// `/api/tail?id=TAIL&request=NUMBER`.
    case tailed(TailRequest)
    /// `/api/destinations/{pause,resume}?exporter=NAME&pipeline=NAME`.
    case setPaused(Bool, ConsoleDestination)

    /// Nil for what is no part of the page.
    init?(_ uri: String) {
        let parts = uri.split(separator: "?", maxSplits: 1)
        let path = parts.first ?? ""
        if let file = ConsoleFile(path) {
            self = .file(file)
            return
        }
        let values = Self.values(ofQuery: parts.dropFirst().joined())
        switch path {
        case "/api/status": self = .status
        case "/api/services": self = .services
        case "/api/config": self = .configuration
        case "/api/stream": self = .stream(tail: TailWish(query: values))
        case "/api/tail":
            self = .tailed(TailRequest(tail: values["id"] ?? "", number: values["request"].flatMap { Int($0) } ?? -1))
        case "/api/traces": self = .trace(values["id"] ?? "")
        case "/api/destinations/pause", "/api/destinations/resume":
            let destination = ConsoleDestination(exporter: values["exporter"] ?? "", pipeline: values["pipeline"])
            self = .setPaused(path.hasSuffix("/pause"), destination)
        default: return nil
        }
    }

    /// What looks is asked with GET, what changes with POST.
    var method: HTTPMethod {
        if case .setPaused = self { .POST } else { .GET }
    }

    /// The values of a query by their names, decoded; of a name that is there twice the last.
    static func values(ofQuery query: some StringProtocol) -> [String: String] {
        var values: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1).map(\.percentDecoded)
            if let name = sides.first { values[name] = sides.count > 1 ? sides[1] : "" }
        }
        return values
    }
}

/// One exporter, in one pipeline or in all of them.
package struct ConsoleDestination: Sendable, Equatable {
    /// Its key in the pipeline file.
    package let exporter: String
    /// Nil for all that it stands in.
    package let pipeline: String?

    package init(exporter: String, pipeline: String?) {
        (self.exporter, self.pipeline) = (exporter, pipeline)
    }
}
