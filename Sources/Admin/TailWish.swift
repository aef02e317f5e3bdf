import Basics

/// What a person who watches requests wants to see of them.
package struct TailWish: Sendable, Equatable {
    /// Only requests in which a service, a span's name or status or a trace id has this text in it; empty for all.
    package var text = ""
    /// Only spans that satisfy this condition, in JSON; nil for all.
    package var condition: String?
    /// Only spans that go to this exporter, by its key in the pipeline file; nil for all.
    package var exporter: String?

    /// Whether requests come as rows, without attributes and without what each processor does; those are asked for by `TailRequest`.
    package var isBrief = false

    package init(text: String = "", condition: String? = nil, exporter: String? = nil, isBrief: Bool = false) {
        (self.text, self.condition, self.exporter, self.isBrief) = (text, condition, exporter, isBrief)
    }

    /// Reads it from the values of a query; nil where they ask for nothing to be watched.
    init?(query values: [String: String]) {
        guard let text = values["tail"] else { return nil }
        self.init(text: text, condition: values["where"], exporter: values["exporter"], isBrief: values["brief"] != nil)
    }

    /// The path and query of a stream that has it.
    package var uri: String {
        let more = [("where", condition), ("exporter", exporter)].compactMap { name, value in
            value.map { "&\(name)=\($0.percentEncoded)" }
        }
        return "/api/stream?tail=\(text.percentEncoded)\(more.joined())\(isBrief ? "&brief" : "")"
    }
}

/// A request that came as a row and is to be seen whole.
package struct TailRequest: Sendable, Equatable {
    /// Who watches, as the stream says.
    package let tail: String
    /// Its number there.
    package let number: Int

    package init(tail: String, number: Int) {
        (self.tail, self.number) = (tail, number)
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
