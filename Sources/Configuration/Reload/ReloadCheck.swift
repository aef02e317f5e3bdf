import Basics
import Journal
import Pipeline
import Processors
import Receivers
import Settings
import TLS

/// What keeps a running process from taking another pipeline file, told by the two files alone.
struct ReloadCheck {
    private let old: PipelineFile
    private let new: PipelineFile
    /// One line for each setting that cannot change, as `validate` writes them.
    private(set) var lines: [String] = []

    init(from old: PipelineFile, to new: PipelineFile) {
        self.old = old
        self.new = new
        checkSections()
        checkComponents()
        checkPipelines()
    }

    private mutating func refuse(_ path: String..., because reason: String = "this changes only with a restart") {
        lines.append(new.source.line(at: path, reason))
    }

    private mutating func checkSections() {
        for name in Shape.journal.differences(old.journal, new.journal) {
            switch name {
            case "directory":
                refuse("journal", name, because: "what is not delivered lies in \(quoted(old.journal.directory)): another directory needs a restart")
            case "storage":
                refuse("journal", name, because: "what is not delivered would stay where it is: another storage needs a restart")
            default: refuse("journal", name)
            }
        }
        for name in Shape.admin.differences(old.admin, new.admin) { refuse("admin", name) }
        if old.admin.token?.text != new.admin.token?.text { refuse("admin", "token") }
        for name in Shape.log.differences(old.log, new.log) { refuse("log", name) }
        if !new.source.says(theSameAs: old.source, at: "telemetry") { refuse("telemetry") }
        if old.memoryLimit != new.memoryLimit { refuse("memory_limit") }
    }

    private mutating func checkComponents() {
        for receiver in new.receivers {
            guard let known = old.receivers.first(where: { $0.name == receiver.name }) else {
                refuse("receivers", receiver.name)
                continue
            }
            if !receiver.isSet(as: known) { refuse("receivers", receiver.name) }
            if new.processorHeaders(after: receiver.name) != old.processorHeaders(after: receiver.name) {
                refuse("receivers", receiver.name)
            }
        }
        for receiver in old.receivers where !new.receivers.contains(where: { $0.name == receiver.name }) {
            refuse("receivers")
        }
        for exporter in new.exporters {
            guard let known = old.exporters.first(where: { $0.name == exporter.name }), known.type != exporter.type else {
                continue
            }
            let what = "it was of type \(quoted(known.type)), whose spans wait in another order"
            refuse("exporters", exporter.name, "type", because: "\(what): another type needs another name, or a restart")
        }
    }

    private mutating func checkPipelines() {
        for pipeline in new.pipelines {
            guard let known = old.pipelines.first(where: { $0.name == pipeline.name })?.value else {
                refuse("pipelines", pipeline.name)
                continue
            }
            if Set(pipeline.value.receivers) != Set(known.receivers) { refuse("pipelines", pipeline.name, "receivers") }
            if Set(pipeline.value.signals) != Set(known.signals) { refuse("pipelines", pipeline.name, "signals") }
            if old.window(of: known) != nil || new.window(of: pipeline.value) != nil {
                checkWindow(pipeline, known)
            }
        }
        for pipeline in old.pipelines where !new.pipelines.contains(where: { $0.name == pipeline.name }) {
            refuse("pipelines")
        }
    }

    private mutating func checkWindow(_ pipeline: Named<PipelineSettings>, _ known: PipelineSettings) {
        let (before, after) = (old.processors(of: known), new.processors(of: pipeline.value))
        let isSame = before.count == after.count && zip(before, after).allSatisfy { $0.name == $1.name && $0.isSet(as: $1) }
        if !isSame { refuse("pipelines", pipeline.name, "processors") }
    }
}

extension Shape {
    /// Names of the settings in which two groups differ, what is never shown aside.
    func differences(_ old: Settings, _ new: Settings) -> [String] {
        guard case .object(let old) = write(old), case .object(let new) = write(new) else { return [] }
        let names = old.map(\.name) + new.map(\.name).filter { name in !old.contains { $0.name == name } }
        return names.filter { name in
            old.first { $0.name == name }?.value != new.first { $0.name == name }?.value
        }
    }
}
