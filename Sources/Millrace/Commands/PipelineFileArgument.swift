import ArgumentParser

/// The pipeline file of a command that reads nothing else: as an argument, or as the other commands take it.
struct PipelineFileArgument: ParsableArguments {
    @Argument(help: "The pipeline file.") private var file: String?
    @Option(name: .customLong("config"), help: "The same, as other commands take it.") private var option: String?

    /// The file that was named.
    var path: String { file ?? option ?? "" }

    func validate() throws {
        guard (file == nil) != (option == nil) else {
            throw ValidationError("Name one pipeline file: as an argument, or with --config.")
        }
    }
}
