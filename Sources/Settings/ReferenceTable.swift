/// A group of settings as the reference shows it, in Markdown.
package struct ReferenceTable: Sendable, Equatable {
    /// Where the group stands, from a component or the file on; empty for the group itself.
    var path: String
    let summary: String
    let rows: [Row]

    struct Row: Sendable, Equatable {
        let name: String
        let brief: String
        /// In JSON; empty where the setting has to be given or is absent by default.
        let initial: String
        let summary: String
    }

    /// What it says, below a title; a group without settings has no table.
    ///
    /// Ends with an empty line.
    package func text(title: String? = nil) -> String {
        let head = "## \(title ?? "`\(path)`")\n\n" + (summary.isEmpty ? "" : summary + "\n\n")
        guard !rows.isEmpty else { return head }
        let lines = rows.map { "| `\($0.name)` | \($0.brief) | \($0.initial) | \($0.summary) |\n" }
        return head + "| setting | value | default | meaning |\n|---|---|---|---|\n" + lines.joined() + "\n"
    }

    /// Whether another one says the same, wherever it stands.
    package func isSame(as other: ReferenceTable) -> Bool { summary == other.summary && rows == other.rows }
}

extension Shape {
    /// The reference of the group itself, then that of the groups in it.
    package var tables: [ReferenceTable] {
        let available = fields.filter(\.isAvailable)
        let rows = available.map { field in
            let text = field.isRequired ? "required" : initialText(field)
            return ReferenceTable.Row(name: field.name, brief: field.form.brief, initial: text, summary: field.summary)
        }
        let inner = available.flatMap { field in field.form.tables.below(field.name) }
        return [ReferenceTable(path: "", summary: summary, rows: rows)] + inner
    }

    /// Empty for what is absent, and for groups, which have a table of their own.
    private func initialText(_ field: Field<Settings>) -> String {
        switch field.write(initial) {
        case .null, .object: ""
        case let value: "`\(value.lineText)`"
        }
    }
}

extension [ReferenceTable] {
    /// The same tables, of groups that stand in a setting of that name, or in something else's elements.
    func below(_ name: String) -> [ReferenceTable] {
        map { table in
            var table = table
            let separator = table.path.isEmpty || table.path.hasPrefix("[") ? "" : "."
            table.path = name + separator + table.path
            return table
        }
    }
}
