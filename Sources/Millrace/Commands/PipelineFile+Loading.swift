import ArgumentParser
import Configuration

extension PipelineFile {
    /// Wrong configuration (`EX_CONFIG` of sysexits.h).
    static let wrongConfiguration = ExitCode(78)

    /// The file at `path`, or the built-in one; with `readsMembers` the files of members that it names are checked, too.
    ///
    /// Where it cannot be used, hands every problem to `report` and ends the command with the exit code for that.
    static func loadOrExit(
        _ path: String?,
        checkingFiles: Bool = false,
        report: (String) -> Void
    ) throws -> PipelineFile {
        do {
            guard let path else { return try PipelineFile(text: defaultText, name: defaultName) }
            return try load(path, checkingFiles: checkingFiles)
        } catch {
            for line in error.lines { report(line) }
            throw wrongConfiguration
        }
    }
}
