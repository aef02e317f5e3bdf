import Basics
import Conditions
import Settings

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

    /// The reference of the pipeline file as Markdown, without a line break at its end.
    ///
    /// The groups in the settings of the file and of components come last, each once.
    package static func reference() -> String {
        var text =
            "# The pipeline file\n\nWritten by `make reference`, from the descriptions by which the file is read.\n\n"
        var written: [ReferenceTable] = []
        var groups: [ReferenceTable] = []
        func add(_ tables: [ReferenceTable], as title: String) {
            guard let own = tables.first else { return }
            text += own.text(title: title)
            written.append(own)
            groups += tables.dropFirst()
        }
        add(PipelineFile.shape.tables, as: "The file")
        for component in receivers { add(component.tables, as: "receiver `\(component.type)`") }
        for component in processors { add(component.tables, as: "processor `\(component.type)`") }
        for component in exporters { add(component.tables, as: "exporter `\(component.type)`") }
        text += ConditionSubject.reference
        for table in groups where !written.contains(where: table.isSame) {
            text += table.text()
            written.append(table)
        }
        while text.last == "\n" { text.removeLast() }
        return text
    }
}
