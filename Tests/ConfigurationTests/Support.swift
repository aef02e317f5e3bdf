import Basics
import Configuration
import Foundation

/// The repository's top folder.
let repository = URL(filePath: #filePath).appending(path: "../../..").standardized

extension Environment {
    /// An environment of these variables and files alone.
    static func fixed(variables: [String: String] = [:], files: [String: String] = [:]) -> Environment {
        Environment(
            variable: { variables[$0] },
            file: { path in
                files[path].map { .success(Array($0.utf8)) } ?? .failure(FileReadError(reason: "no such file"))
            }
        )
    }

    static let empty = Environment.fixed()
}

/// The messages for a text that is no usable pipeline file; empty where it is one.
func problems(of text: String, in environment: Environment = .empty, checkingFiles: Bool = false) -> [String] {
    do {
        return try PipelineFile(
            text: Array(text.utf8),
            name: "f.json",
            environment: environment,
            checkingFiles: checkingFiles
        ).warnings
    } catch {
        return error.lines
    }
}

/// A small valid file with these members in place of its own.
func file(_ members: [String: String] = [:]) -> String {
    var all = [
        "receivers": #"{"in": {"type": "otlp_http"}}"#,
        "exporters": #"{"out": {"type": "console"}}"#,
        "pipelines": #"{"traces": {"receivers": ["in"], "exporters": ["out"]}}"#,
    ]
    all.merge(members) { $1 }
    let order = ["receivers", "processors", "exporters", "pipelines", "journal", "admin", "log"]
    let names = order.filter { all[$0] != nil } + all.keys.filter { !order.contains($0) }.sorted()
    return "{\n" + names.map { "\"\($0)\": \(all[$0] ?? "")" }.joined(separator: ",\n") + "\n}"
}
