import Foundation
import TestKit

@testable import MLflow

/// Bodies of `Tests/Data/clients` and of the framework apps, by their names without an ending.
enum ClientBodies {
    /// What mapping makes of the body.
    static func mapped(_ name: String) throws -> [ReadSpan] {
        let folder = Fixtures.directory.appending(path: "clients").path
        let files = ["pb", "json"].map { "\(name).\($0)" }
        let file = files.first { FileManager.default.fileExists(atPath: "\(folder)/\($0)") }
        return try map(file.map { try Page.body("Data/clients/\($0)") } ?? Recordings.bytes(name))
    }
}

/// What MLflow's list shows of one side of a span; nil where it has none.
func preview(_ json: String?, role: String) -> String? { Preview.shown(json.map { Preview.text(of: $0, role: role) }) }
