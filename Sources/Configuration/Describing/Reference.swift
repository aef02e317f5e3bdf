import Basics

/// One line of a reference table.
struct ReferenceRow: Sendable {
    let name: String
    let brief: String
    /// In JSON; empty where the setting has to be given or is absent by default.
    let initial: String
    let summary: String
}

extension Shape {
    /// The settings as lines of the reference table.
    func referenceRows() -> [ReferenceRow] {
        fields.filter(\.isAvailable).map { field in
            let text = field.isRequired ? "required" : initialText(field)
            return ReferenceRow(name: field.name, brief: field.brief, initial: text, summary: field.summary)
        }
    }

    /// Empty for what is absent, and for groups, which have a table of their own.
    private func initialText(_ field: Field<Settings>) -> String {
        switch field.initial(initial) {
        case .null, .object: ""
        case let value: "`\(value.lineText)`"
        }
    }
}

extension Catalogue {
    /// The reference of the pipeline file as Markdown, without a line break at its end.
    package static func reference() -> String {
        var text =
            "# The pipeline file\n\nWritten by `make reference`, from the descriptions by which the file is read.\n\n"
        text += table("The file", "", PipelineFile.shape.referenceRows())
        text += section("receiver", receivers) + section("processor", processors) + section("exporter", exporters)
        text += table(
            "Pipelines: `pipelines`.NAME",
            PipelineSettings.shape.summary,
            PipelineSettings.shape.referenceRows()
        )
        for (name, summary, rows) in groups { text += table("`\(name)`", summary, rows) }
        while text.last == "\n" { text.removeLast() }
        return text
    }

    private static func section<Settings>(_ sort: String, _ components: [Component<Settings>]) -> String {
        components.filter(\.isAvailable).map { component in
            table("\(sort) `\(component.type)`", component.summary, component.rows)
        }.joined()
    }

    private static func table(_ title: String, _ summary: String, _ rows: [ReferenceRow]) -> String {
        let head = "## \(title)\n\n" + (summary.isEmpty ? "" : summary + "\n\n")
        guard !rows.isEmpty else { return head }
        let lines = rows.map { "| `\($0.name)` | \($0.brief) | \($0.initial) | \($0.summary) |\n" }
        return head + "| setting | value | default | meaning |\n|---|---|---|---|\n" + lines.joined() + "\n"
    }
}
