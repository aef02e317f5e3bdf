package import Basics

/// What MLflow said went wrong: `{"error_code", "message"}` of its REST handlers or `{"detail"}` of FastAPI.
package struct MLflowProblem: Sendable, Equatable {
    /// Such as `RESOURCE_DOES_NOT_EXIST`; nil where the body names none.
    package let code: String?
    /// On one line, at most 300 characters.
    package let message: String
    /// What the message says in words of the server, in lower case; at most the first 8 KiB.
    ///
    /// A database error goes on with the statement and the values that it was to store, which prove nothing.
    private let words: String
    /// Whether the body was one of MLflow's own forms, and not a page of a proxy or of the web server.
    package let isFromMLflow: Bool
    /// Whether the body is HTML, which MLflow's interfaces never answer.
    package let isPage: Bool

    package init(_ response: HTTPResponse) {
        let node = try? JSONNode(parsing: response.body)
        code = node?["error_code"]?.string
        let detail = node?["detail"]
        let text = node?["message"]?.string ?? detail?.string ?? detail?.elements?.first?["msg"]?.string
        isFromMLflow = code != nil || text != nil
        isPage = response.body.first { $0 > UInt8(ascii: " ") } == UInt8(ascii: "<")
        let said = text ?? Self.plainText(response.body, isPage: isPage)
        message = said.excerpt().isEmpty ? "no message" : said.excerpt()
        let explained = String(said.prefix(8192)).lowercased()
        words = explained.firstRange(of: "[sql:").map { String(explained[..<$0.lowerBound]) } ?? explained
    }

    /// Whether the message holds one of these, in any case.
    package func mentions(_ phrases: String...) -> Bool {
        phrases.contains { words.contains($0.lowercased()) }
    }

    /// Whether it blames what passes: locks, deadlocks and lost connections of the database.
    ///
    /// They come as 400 and 422 as well as 503.
    package var isTransient: Bool {
        code == "TEMPORARILY_UNAVAILABLE"
            || mentions(
                "database is locked",
                "OperationalError",
                "deadlock",
                "lock wait timeout",
                "could not serialize",
                "QueuePool limit"
            )
    }

    /// Whether it is in the words of a database's driver: a race between two writers, or a value that a column cannot
    /// hold.
    package var isFromDatabase: Bool {
        mentions("psycopg2.", "psycopg.", "sqlite3.", "pymysql", "MySQLdb", "pyodbc")
            || mentions("IntegrityError", "UniqueViolation", "autoflush")
    }

    /// The body without HTML tags.
    private static func plainText(_ body: [UInt8], isPage: Bool) -> String {
        let text = String(decoding: body.prefix(8192), as: UTF8.self)
        guard isPage else { return text }
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
