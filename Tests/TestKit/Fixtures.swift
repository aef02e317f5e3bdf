package import Foundation

/// The real requests and bodies in `Tests/Data`; its README says where they came from.
package enum Fixtures {
    /// The folder.
    package static let directory = URL(filePath: #filePath).appending(path: "../../Data").standardized

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
