import Foundation

/// The built program, run as an operator runs it.
enum Program {
    struct Result {
        var code: Int32
        var output: String
        var errors: String
    }

    /// Beside the test bundle.
    static let url = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "millrace")

    /// Runs it to its end with these arguments and nothing but these variables.
    static func run(_ arguments: String..., environment: [String: String] = [:]) throws -> Result {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = url
        process.arguments = arguments
        process.environment = environment
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let errorText = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(
            code: process.terminationStatus,
            output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: errorText, as: UTF8.self)
        )
    }
}

/// The repository's top folder.
let repository = URL(filePath: #filePath).appending(path: "../../..").standardized

/// Gives a pipeline file with this text to a test, in a folder of its own.
func withFile<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "pipeline.json")
    try Data(text.utf8).write(to: file)
    return try body(file.path)
}
