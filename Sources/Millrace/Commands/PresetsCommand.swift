import ArgumentParser
import Basics
import Configuration

/// `millrace presets`: destinations that a pipeline file may name.
struct PresetsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "presets",
        abstract: "List the destinations known by name; with a name, what that one needs.",
        discussion: "An otlp_http exporter with \"preset\": NAME has their settings; what the file says itself wins."
    )

    @Argument(help: "One of them.") var name: String?

    func validate() throws {
        guard let name, !Preset.all.contains(where: { $0.name == name }) else { return }
        throw ValidationError(Preset.refusal(of: name) + ".")
    }

    func run() {
        guard let preset = Preset.all.first(where: { $0.name == name }) else {
            let width = Preset.all.map(\.name.count).max() ?? 0
            let lines = Preset.all.map { preset in
                let name = preset.name + String(repeating: " ", count: width - preset.name.count)
                let needs = preset.needs.map(\.variable).joined(separator: ", ")
                return "\(name)  \(preset.title); \(needs)"
            }
            return writeLine(lines.joined(separator: "\n"), to: .standardOutput)
        }
        writeLine(Self.text(of: preset), to: .standardOutput)
    }

    private static func text(of preset: Preset) -> String {
        let exporter = #"  "\#(preset.name)": { "type": "otlp_http", "preset": "\#(preset.name)" }"#
        var lines = [preset.title, "", exporter, ""]
        if !preset.needs.isEmpty {
            lines += ["needs these environment variables:"] + preset.needs.map { "  \($0.variable): \($0.what)" } + [""]
        }
        if !preset.regions.isEmpty {
            lines += ["regions, of which the first is taken unless the exporter says \"region\":"]
            lines += preset.regions.map { "  \($0.name): \($0.endpoint)" } + [""]
        }
        lines += ["stands for these settings; the file's own settings win:", preset.settingsText, ""]
        lines += preset.optionalTexts.flatMap { ["where \($0.variable) is set, also:", $0.settings, ""] }
        lines += preset.notes.map { "- \($0)" } + ["- Source: \(preset.source)"]
        return lines.joined(separator: "\n")
    }
}
