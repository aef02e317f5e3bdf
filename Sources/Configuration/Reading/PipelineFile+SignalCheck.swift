import Basics
import Conditions
import Exporters
import OTLP
import Processors
import Settings

// Which of a pipeline's signals its processors and exporters take. What nobody delivers must not be accepted.

extension PipelineFile {
    /// Checks the signals of every pipeline against what its exporters and processors take.
    func checkSignals(_ root: JSONNode, _ context: inout DecodeContext) {
        for pipeline in pipelines {
            guard let node = root["pipelines"]?[pipeline.name] else { continue }
            let taken = pipeline.value.takenSignals
            // One that could not be read takes what nobody knows.
            let exporters = exporters.filter { exporter in
                pipeline.value.exporters.contains(exporter.name) && !exporter.settings.signals.isEmpty
            }
            let isComplete = exporters.count == Set(pipeline.value.exporters).count
            context.within("pipelines", pipeline.name) { context in
                let window = window(of: pipeline.value)
                for signal in taken where isComplete && window?.reads(signal) != true {
                    guard !exporters.contains(where: { $0.settings.signals.contains(signal) }) else {
                        continue
                    }
                    context.within("signals") { context in
                        let what = "no exporter of the pipeline takes \(signal.name), so they would go nowhere"
                        context.report(what, at: (node["signals"] ?? node).offset)
                    }
                }
                for exporter in exporters {
                    // What joins spans goes where these go.
                    let joined = Signal.allCases.filter { window?.reads($0) == true }
                    let signals = exporter.settings.signals
                    let reached = signals.contains(.traces) ? signals.union(joined) : signals
                    warn(of: "exporters", exporter.name, reached, taken, node, &context)
                }
                for processor in processors where pipeline.value.processors.contains(processor.name) {
                    // What works on whole traces is given the log records that joined them.
                    let isOfTraces = processor.settings.isOfWholeTraces || processor.settings.routing != nil
                    let isPart = isOfTraces || processor.name == window?.name
                    let joined = Signal.allCases.filter { isPart && window?.reads($0) == true }
                    let signals = processor.settings.signals.union(joined)
                    warn(of: "processors", processor.name, signals, taken, node, &context)
                }
            }
        }
        checkConditions(root, &context)
        checkMixtures(root, &context)
    }

    /// Refuses conditions that could never hold where they are asked, and warns of those that never hold for one of the signals.
    private func checkConditions(_ root: JSONNode, _ context: inout DecodeContext) {
        for processor in processors {
            let pipelines = pipelines.filter { $0.value.processors.contains(processor.name) }
            let signals = Signal.allCases.filter { signal in
                processor.settings.signals.contains(signal)
                    && pipelines.contains { $0.value.takenSignals.contains(signal) }
            }
            let wanted = signals.filter { signal in pipelines.contains { goesOn(signal, in: $0.value) } }
            guard let node = root["processors"]?[processor.name] else { continue }
            let found = processor.settings.questionsOfOneSignal(in: node).compactMap { question -> Problem? in
                let others = wanted.filter { $0 != question.signal }.map(\.name).joined(separator: " and ")
                guard !others.isEmpty else { return nil }
                let subject = "only \(question.signal.units) have \(quoted(question.subject))"
                return Problem(
                    offset: question.place.node.offset,
                    pointer: question.place.pointer,
                    message: "\(subject): it never holds for \(others)",
                    severity: signals.contains(question.signal) ? .warning : .error
                )
            }
            context.within("processors", processor.name) { $0.report(DocumentProblems(list: found)) }
        }
    }

    /// Whether a pipeline takes a signal for its own sake, and not only as content of spans.
    private func goesOn(_ signal: Signal, in pipeline: PipelineSettings) -> Bool {
        guard pipeline.takenSignals.contains(signal) else { return false }
        guard signal != .traces, window(of: pipeline)?.reads(signal) == true else { return true }
        return exporters.contains { exporter in
            pipeline.exporters.contains(exporter.name) && exporter.settings.signals.contains(signal)
        }
    }

    /// Refuses a component that takes nothing of the pipeline, and warns of one that does not take all of it.
    private func warn(
        of section: String,
        _ name: String,
        _ signals: Set<Signal>,
        _ taken: [Signal],
        _ node: JSONNode,
        _ context: inout DecodeContext
    ) {
        let missing = taken.filter { !signals.contains($0) }
        guard !missing.isEmpty, let index = node[section]?.elements?.firstIndex(where: { $0.string == name }) else {
            return
        }
        let names = { (signals: [Signal]) in signals.map(\.name).joined(separator: " and ") }
        let offset = node[section]?.elements?[index].offset ?? node.offset
        let all = names(Signal.allCases.filter(signals.contains))
        context.within(section, "\(index)") { context in
            if missing.count == taken.count {
                context.report("\(quoted(name)) takes \(all) alone, and the pipeline takes \(names(taken))", at: offset)
            } else {
                let fate = section == "exporters" ? "do not go there" : "pass it unchanged"
                context.report(
                    "\(quoted(name)) takes \(all) alone: \(names(missing)) \(fate)",
                    at: offset,
                    as: .warning
                )
            }
        }
    }

    /// Refuses several signals in one file whose records do not say what they are.
    private func checkMixtures(_ root: JSONNode, _ context: inout DecodeContext) {
        for exporter in exporters {
            guard let setting = exporter.settings.destination.oneSignalSetting,
                let node = root["exporters"]?[exporter.name]
            else { continue }
            let pipelines = pipelines.filter { $0.value.exporters.contains(exporter.name) }
            let signals = Signal.allCases.filter { signal in
                pipelines.contains { $0.value.takenSignals.contains(signal) }
                    || telemetry?.exporter == exporter.name && telemetry?.signals.contains(signal) == true
            }
            guard signals.count > 1 else { continue }
            let names = signals.map(\.name).joined(separator: " and ")
            context.within("exporters", exporter.name, setting) { context in
                let what = "\(names) in one file could not be told apart"
                context.report("\(what); use an exporter for each", at: (node[setting] ?? node).offset)
            }
        }
    }
}
