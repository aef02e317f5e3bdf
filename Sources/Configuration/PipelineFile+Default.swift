import CEmbedded

extension PipelineFile {
    /// The text of `pipelines/default.json`, which is part of the program.
    package static let defaultText: [UInt8] = (0..<millrace_default_pipeline_count()).map(
        millrace_default_pipeline_byte
    )

    /// What messages call the built-in file.
    package static let defaultName = "pipelines/default.json (built in)"
}
