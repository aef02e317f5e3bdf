import Foundation
import OTLP
import TestKit

@testable import MLflow

/// Bodies of `Tests/Data/clients` and of the framework apps, each mapped once.
enum ClientBodies {
    /// Maps the body of that name, protobuf or JSON.
    static func mapped(_ name: String) throws -> [ReadSpan] { try map(bytes(name)) }

    /// The body in wire form.
    static func bytes(_ name: String) throws -> [UInt8] {
        guard name.contains("-") else { return try Recordings.bytes(name) }
        let folder = Fixtures.directory.appendingPathComponent("clients")
        if FileManager.default.fileExists(atPath: folder.appendingPathComponent("\(name).pb").path) {
            return try Fixtures.bytes("clients/\(name).pb")
        }
        guard FileManager.default.fileExists(atPath: folder.appendingPathComponent("\(name).json").path) else {
            return try Recordings.bytes(name)
        }
        var deviations = DeviationCounts()
        return try OTLPJSON.decode(
            try Fixtures.bytes("clients/\(name).json"),
            signal: .traces,
            deviations: &deviations
        )
    }
}

/// What MLflow's list shows of one side of a root: the text of the last message of `role`, else the value.
///
/// As `_get_truncated_preview` of MLflow 3.17.2 does, without its limit of 1,000 characters.
func preview(_ json: String?, role: String) -> String? {
    guard let json, let value = try? JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
    else {
        return nil
    }
    if let text = value as? String { return text }
    guard let object = value as? [String: Any], let messages = messages(of: object) else { return json }
    let message = messages.last { $0["role"] as? String == role } ?? messages.last
    if let text = message?["content"] as? String { return text.isEmpty ? json : text }
    let parts = message?["content"] as? [[String: Any]]
    return parts?.first { $0["type"] as? String == "text" }?["text"] as? String ?? json
}

private func messages(of object: [String: Any]) -> [[String: Any]]? {
    if let messages = object["messages"] as? [[String: Any]], !messages.isEmpty {
        return messages.filter { $0["role"] != nil && $0["content"] != nil }
    }
    let choices = object["choices"] as? [[String: Any]]
    return (choices?.first?["message"] as? [String: Any]).map { [$0] }
}
