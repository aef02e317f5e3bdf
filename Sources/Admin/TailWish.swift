import Basics

/// What a person who watches requests wants to see of them.
package struct TailWish: Sendable, Equatable {
    /// Only requests in which a service, a span's name or status or a trace id has this text in it; empty for all.
    package var text = ""
    /// Only spans that satisfy this condition, in JSON; nil for all.
    package var condition: String?
    /// Only spans that go to this exporter, by its key in the pipeline file; nil for all.
    package var exporter: String?

    package init(text: String = "", condition: String? = nil, exporter: String? = nil) {
        (self.text, self.condition, self.exporter) = (text, condition, exporter)
    }

    /// Reads it from the values of a query; nil where they ask for nothing to be watched.
    init?(query values: [String: String]) {
        guard let text = values["tail"] else { return nil }
        self.init(text: text, condition: values["where"], exporter: values["exporter"])
    }

    /// The path and query of a stream that has it.
    package var uri: String {
        let more = [("where", condition), ("exporter", exporter)].compactMap { name, value in
            value.map { "&\(name)=\($0.percentEncoded)" }
        }
        return "/api/stream?tail=\(text.percentEncoded)\(more.joined())"
    }
}

/// Why nothing can be watched so.
package struct TailProblem: Error, Sendable {
    /// For people.
    package let message: String

    package init(_ message: String) {
        self.message = message
    }
}
