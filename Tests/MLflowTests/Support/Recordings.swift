import Foundation
import TestKit

/// Requests that real SDKs and frameworks sent: those of `shared`, and those of the framework apps of the end-to-end tests.
enum Recordings {
    private static let emitters = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("Emitters")

    /// Their names, sorted.
    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: emitters.path)) ?? []
        return (Fixtures.traceCaptures() + files).map(Self.stem).sorted()
    }()

    static func bytes(_ name: String) throws -> [UInt8] {
        if Fixtures.traceCaptures().map(stem).contains(name) { return try Fixtures.bytes("captures/\(name).pb") }
        return Array(try Data(contentsOf: emitters.appendingPathComponent("\(name).pb")))
    }

    private static func stem(_ path: String) -> String {
        URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    }
}
