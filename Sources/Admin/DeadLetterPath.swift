import Basics
package import Pipeline

/// An address of dead letters at the admin endpoint, `/dead-letters/ACTION?exporter=NAME&id=ID&after=ID&limit=N`.
package struct DeadLetterPath: Sendable, Equatable {
    private static let prefix = "/dead-letters/"

    package let request: DeadLetterOffice.Request

    package init(_ request: DeadLetterOffice.Request) {
        self.request = request
    }

    /// Nil for any other address.
    init?(_ uri: String) {
        let parts = uri.split(separator: "?", maxSplits: 1)
        guard let path = parts.first, path.hasPrefix(Self.prefix),
            let action = DeadLetterOffice.Request.Action(rawValue: String(path.dropFirst(Self.prefix.count)))
        else { return nil }
        var values: [String: String] = [:]
        for pair in parts.dropFirst().joined().split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1).map(\.percentDecoded)
            if sides.count == 2 { values[sides[0]] = sides[1] }
        }
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
