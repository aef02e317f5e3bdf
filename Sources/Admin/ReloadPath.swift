import Basics
import NIOHTTP1

/// The address at which the running process is told to read its pipeline file again,
/// `POST /api/reload?file=PATH&abandon=EXPORTER`.
package enum ReloadPath {
    static let path = "/api/reload"

    /// The address that asks for this.
    package static func uri(_ request: ReloadRequest) -> String {
        let file = request.file.map { ["file=\($0.percentEncoded)"] } ?? []
        return path + "?" + (file + request.abandoning.map { "abandon=\($0.percentEncoded)" }).joined(separator: "&")
    }

    /// What an address asks for.
    static func request(in uri: String) -> ReloadRequest {
        var request = ReloadRequest()
        for pair in uri.split(separator: "?", maxSplits: 1).dropFirst().joined().split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1).map(\.percentDecoded)
            guard sides.count == 2 else { continue }
            if sides[0] == "file" { request.file = sides[1] }
            if sides[0] == "abandon" { request.abandoning.append(sides[1]) }
        }
        return request
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
