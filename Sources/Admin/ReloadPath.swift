import Basics
import NIOHTTP1

/// The address at which the running process is told to read its pipeline file again, `POST /api/reload?file=PATH`.
package enum ReloadPath {
    static let path = "/api/reload"
    private static let fileParameter = "file="

    /// The address that means one file.
    package static func uri(of file: String) -> String { "\(path)?\(fileParameter)\(file.percentEncoded)" }

    /// The file that a request means; nil where it names none.
    static func file(in uri: String) -> String? {
        let query = uri.split(separator: "?", maxSplits: 1).dropFirst().joined()
        let pair = query.split(separator: "&").first { $0.hasPrefix(fileParameter) }
        return pair?.dropFirst(fileParameter.count).percentDecoded
    }

    /// Why a request is not for this address; nil for one that is.
    ///
    /// The content type keeps pages of other places from sending it without asking first.
    static func refusal(of head: HTTPRequestHead) -> AdminPage? {
        guard head.method == .POST else { return AdminPage(refusing: head.method, allowed: "POST") }
        let type = head.headers.first(name: "content-type")?.prefix { $0 != ";" }.lowercased() ?? ""
        return type == "application/json" ? nil : .needsJSON
    }
}

extension AdminPage {
    /// For a change that is not asked for as JSON.
    fileprivate static let needsJSON = AdminPage(
        .unsupportedMediaType,
        "this needs \"Content-Type: application/json\"\n"
    )

    /// What became of a pipeline file.
    init(_ answer: ReloadAnswer) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("taken")
        writer.bool(answer.problems.isEmpty)
        writer.key("hash")
        writer.string(answer.digest)
        for (name, lines) in [("problems", answer.problems), ("warnings", answer.warnings)] {
            writer.key(name)
            writer.beginArray()
            for line in lines { writer.string(line) }
            writer.endArray()
        }
        writer.endObject()
        self.init(answer.problems.isEmpty ? .ok : .unprocessableEntity, "")
        body = writer.bytes
        contentType = "application/json"
    }
}
