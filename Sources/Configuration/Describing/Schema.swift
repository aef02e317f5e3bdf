import Basics

extension Catalogue {
    /// JSON Schema (draft 2020-12) of the pipeline file, ended by a line break.
    package static func schema() -> String {
        let head: JSON = [
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Millrace pipeline file",
        ]
        return head.adding(PipelineFile.shape.schema()).adding(["$defs": definitions]).indentedText() + "\n"
    }

    /// What several settings refer to; a string with a substitution passes everywhere, since its value is not known yet.
    private static let definitions: JSON = [
        "substituted": [
            "description": "A text that takes its value from the environment or a file.",
            "type": "string", "pattern": #"\$\{"#,
        ],
        "size": [
            "description": .text("\(ByteCount.form)."),
            "type": "string", "pattern": #"^[0-9]+(B|KiB|MiB|GiB|TiB)$|\$\{"#,
        ],
        "duration": [
            "description": .text("\(Duration.form)."),
            "type": "string", "pattern": #"^[0-9]+(ns|us|ms|s|m|h)$|\$\{"#,
        ],
    ]
}
