import Basics
import Journal
import OTLP
import Pipeline
import Processors
import Receivers
import Settings
import TLS

/// What keeps a running process from taking another pipeline file, told by the two files alone.
struct ReloadCheck {
    private let old: PipelineFile
    private let new: PipelineFile
    private let sockets: GivenSockets
    /// One line for each setting that cannot change, as `validate` writes them.
    private(set) var lines: [String] = []

    /// - Parameters:
    ///   - old: The file that runs.
    ///   - new: The one that is to take its place.
    ///   - sockets: The service manager's, which take the place of addresses.
    init(from old: PipelineFile, to new: PipelineFile, sockets: GivenSockets = GivenSockets()) {
        self.sockets = sockets
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
                let what = "what is not delivered lies in \(quoted(old.journal.directory))"
                refuse("journal", name, because: "\(what): another directory needs a restart")
            case "storage":
                let what = "what is not delivered would stay where it is"
                refuse("journal", name, because: "\(what): another storage needs a restart")
            case "sync": refuse("journal", name)
            default: break
            }
        }
        for name in Shape.admin.differences(old.admin, new.admin) where ["listen", "tls"].contains(name) {
            refuse("admin", name)
        }
        if !new.source.says(theSameAs: old.source, at: "telemetry") { refuse("telemetry") }
    }

    private mutating func checkComponents() {
        for receiver in new.receivers where !new.keepsPlace(of: receiver, from: old, sockets) {
            guard let address = receiver.settings.address,
                let taken = old.receivers.first(where: { $0.settings.address.map(address.overlaps) ?? false })
            else { continue }
            let what = "\(quoted(address.description)) is where /receivers/\(taken.name) listens now"
            let reason = "\(what), as it is set and shared there; allowed: another address, or a restart"
            refuse("receivers", receiver.name, "listen", because: reason)
        }
        for exporter in new.exporters {
            let known = old.exporters.first { $0.name == exporter.name }
            guard let known, known.type != exporter.type else { continue }
            let what = "it was of type \(quoted(known.type)), for which spans wait in another order"
            let reason = "\(what): another type needs another name, or a restart"
            refuse("exporters", exporter.name, "type", because: reason)
        }
    }

    private mutating func checkPipelines() {
        for pipeline in new.pipelines {
            guard let known = old.pipelines.first(where: { $0.name == pipeline.name })?.value else { continue }
            let (before, after) = (old.window(of: known), new.window(of: pipeline.value))
            guard before != nil || after != nil else { continue }
            guard let before, let after, before.name == after.name else {
                let reason = "traces would wait where nobody looks: a window comes or goes only with a restart"
                refuse("pipelines", pipeline.name, "processors", because: reason)
                continue
            }
            if Set(known.signals) != Set(pipeline.value.signals) || before.reads(.logs) != after.reads(.logs) {
                refuse("pipelines", pipeline.name, "signals")
            }
            if old.windowSettings(of: known) != new.windowSettings(of: pipeline.value) {
                let what = "traces wait there already"
                let reason = "\(what): how long it waits, and what it holds, changes only with a restart"
                refuse("processors", after.name, because: reason)
            }
        }
        for pipeline in old.pipelines where !new.pipelines.contains(where: { $0.name == pipeline.name }) {
            guard old.window(of: pipeline.value) != nil else { continue }
            let what = "traces wait in the window of \(pipeline.name)"
            refuse("pipelines", because: "\(what): it goes only with a restart")
        }
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
