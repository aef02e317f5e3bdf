package import Basics

/// What MLflow said went wrong: `{"error_code", "message"}` of its REST handlers or `{"detail"}` of FastAPI.
package struct MLflowProblem: Sendable, Equatable {
    /// Such as `RESOURCE_DOES_NOT_EXIST`; nil where the body names none.
    package let code: String?
    /// On one line, at most 300 characters.
    package let message: String
    /// All of the message, in lower case; at most the first 8 KiB.
    private let words: String
    /// Whether the body was one of MLflow's own forms, and not a page of a proxy or of the web server.
    package let isFromMLflow: Bool

    package init(_ response: HTTPResponse) {
        let node = try? JSONNode(parsing: response.body)
        code = node?["error_code"]?.string
        let detail = node?["detail"]
        let text = node?["message"]?.string ?? detail?.string ?? detail?.elements?.first?["msg"]?.string
        isFromMLflow = code != nil || text != nil
        let said = text ?? Self.plainText(response.body)
        message = said.excerpt().isEmpty ? "no message" : said.excerpt()
        words = String(said.prefix(8192)).lowercased()
    }

    /// Whether the message holds one of these, in any case.
    package func mentions(_ phrases: String...) -> Bool {
        phrases.contains { words.contains($0.lowercased()) }
    }

    /// The body without HTML tags.
    private static func plainText(_ body: [UInt8]) -> String {
        let text = String(decoding: body.prefix(8192), as: UTF8.self)
        guard text.first == "<" else { return text }
        var plain = ""
        var isInTag = false
        for character in text {
            if character == "<" { isInTag = true }
            if !isInTag { plain.append(character) }
            if character == ">" {
                isInTag = false
                plain.append(" ")
            }
        }
        return plain
    }
}
