package import Foundation

/// The real requests and bodies that lie beside the repository in `shared`.
package enum Fixtures {
    /// The folder; `MILLRACE_SHARED` names another one.
    package static let directory: URL = {
        if let named = ProcessInfo.processInfo.environment["MILLRACE_SHARED"] {
            return URL(fileURLWithPath: named, isDirectory: true)
        }
        var folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        while folder.path != "/" {
            let candidate = folder.appendingPathComponent("shared", isDirectory: true)
            let captures = candidate.appendingPathComponent("captures").path
            if FileManager.default.fileExists(atPath: captures) { return candidate }
            folder.deleteLastPathComponent()
        }
        return folder
    }()

    /// The bytes of a file below the folder, such as `payloads/small.pb`.
    package static func bytes(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: directory.appendingPathComponent(path)))
    }

    /// The captured requests of traces in protobuf, as paths for `bytes`; sorted.
    package static func traceCaptures() -> [String] {
        captures { $0.hasSuffix(".pb") && !$0.hasSuffix(".metrics.pb") && !$0.hasSuffix(".logs.pb") }
    }

    /// The captured requests of traces in JSON, as paths for `bytes`; sorted.
    package static func jsonTraceCaptures() -> [String] {
        captures { $0.hasSuffix(".json") && !$0.hasSuffix(".meta.json") && !$0.contains("native") }
    }

    private static func captures(where isWanted: (String) -> Bool) -> [String] {
        let folder = directory.appendingPathComponent("captures").path
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter(isWanted).sorted().map { "captures/\($0)" }
    }
}
