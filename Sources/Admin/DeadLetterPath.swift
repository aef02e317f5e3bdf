import Basics
package import Pipeline

/// An address of dead letters at the admin endpoint, `/dead-letters/ACTION?exporter=NAME&id=ID&after=ID&limit=N`; the same below `/api`
/// for the console page.
package struct DeadLetterPath: Sendable, Equatable {
    private static let prefix = "/dead-letters/"
    private static let pagePrefix = "/api/dead-letters/"

    package let request: DeadLetterOffice.Request

    package init(_ request: DeadLetterOffice.Request) {
        self.request = request
    }

    /// Nil for any other address.
    init?(_ uri: String) {
        let parts = uri.split(separator: "?", maxSplits: 1)
        guard var path = parts.first else { return nil }
        if path.hasPrefix(Self.pagePrefix) { path = path.dropFirst("/api".count) }
        guard path.hasPrefix(Self.prefix),
            let action = DeadLetterOffice.Request.Action(rawValue: String(path.dropFirst(Self.prefix.count)))
        else { return nil }
        let values = ConsolePath.values(ofQuery: parts.dropFirst().joined())
        let limit = values["limit"].map { Int($0) ?? 0 }
        self.init(
            DeadLetterOffice.Request(
                action,
                exporter: values["exporter"],
                id: values["id"],
                after: values["after"],
                limit: limit ?? DeadLetterOffice.Request.limitDefault
            )
        )
    }

    /// The address.
    package var uri: String {
        let limit = request.limit == DeadLetterOffice.Request.limitDefault ? nil : String(request.limit)
        let values = [
            ("exporter", request.exporter), ("id", request.id), ("after", request.after), ("limit", limit),
        ]
        let query = values.compactMap { name, value in
            value.map { "\(name)=\($0.percentEncoded)" }
        }
        return Self.prefix + request.action.rawValue + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
    }

    /// What looks is asked with GET, what changes with POST.
    package var method: String {
        switch request.action {
        case .list, .show: "GET"
        case .replay, .purge: "POST"
        }
    }
}
