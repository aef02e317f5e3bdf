import Basics
import Exporters
import OTLP
import Settings

extension PipelineFile {
    /// Checks that there is an exporter for what the process sends about itself.
    func checkTelemetry(_ root: JSONNode, _ context: inout DecodeContext) {
        guard let telemetry, let node = root["telemetry"]?["to"], !telemetry.exporter.isEmpty else { return }
        let name = telemetry.exporter
        context.within("telemetry", "to") { context in
            let declared = root["exporters"]?.members?.map(\.name) ?? []
            guard declared.contains(name) else {
                let what = "\(quoted(name)) is no exporter of this file"
                return context.refuse(unknown: name, at: node.offset, allowed: declared, what: what)
            }
            // One that could not be read takes what nobody knows.
            guard let taken = settings(of: name)?.signals, !taken.isEmpty else { return }
            let missing = Signal.allCases.filter { telemetry.signals.contains($0) && !taken.contains($0) }
            guard !missing.isEmpty else { return }
            let all = Signal.allCases.filter(taken.contains).map(\.name).joined(separator: " and ")
            let names = missing.map(\.name).joined(separator: " and ")
            if missing.count == telemetry.signals.count {
                context.report("\(quoted(name)) takes \(all) alone, and there are only \(names)", at: node.offset)
            } else {
                let what = "\(quoted(name)) takes \(all) alone: \(names) do not go there"
                context.report(what, at: node.offset, as: .warning)
            }
        }
    }
}
