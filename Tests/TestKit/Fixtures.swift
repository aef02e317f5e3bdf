package import Foundation
package import OTLP

/// The real requests and bodies in `Tests/Data`; its README says where they came from.
package enum Fixtures {
    /// The folder.
    package static let directory = URL(filePath: #filePath).appending(path: "../../Data").standardized

    /// The bytes of a file below the folder, such as `payloads/small.pb`.
    package static func bytes(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: directory.appendingPathComponent(path)))
    }

    /// A captured request in wire form, whatever it was sent in.
    package static func request(_ path: String, _ signal: Signal) throws -> [UInt8] {
        guard path.hasSuffix(".json") else { return try bytes(path) }
        var deviations = DeviationCounts()
        return try OTLPJSON.decode(bytes(path), signal: signal, deviations: &deviations)
    }

    /// The captured requests of traces in protobuf, as paths for `bytes`; sorted.
    package static func traceCaptures() -> [String] {
        captures { $0.hasSuffix(".pb") && !$0.hasSuffix(".metrics.pb") && !$0.hasSuffix(".logs.pb") }
    }

    /// The captured requests of traces in JSON, as paths for `bytes`; sorted.
    package static func jsonTraceCaptures() -> [String] {
        captures { $0.hasSuffix(".json") && !$0.hasSuffix(".meta.json") && !$0.contains("native") }
    }

    /// The captured requests of metrics or logs of all programs, as paths for `bytes`; sorted.
    package static func captures(of signal: Signal, inJSON: Bool = false) -> [String] {
        let ending = ".\(signal.name).\(inJSON ? "json" : "pb")"
        return ["captures", "clients"].flatMap { folder in captures(in: folder) { $0.hasSuffix(ending) } }
    }

    private static func captures(in folder: String = "captures", where isWanted: (String) -> Bool) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.appending(path: folder).path)) ?? []
        return names.filter(isWanted).sorted().map { "\(folder)/\($0)" }
    }
}
