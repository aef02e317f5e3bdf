import Basics
import Exporters
import OTLP
import Receivers
import Settings

// Whether the exporters that clients are to wait for get anything of what these send.

extension PipelineFile {
    /// Refuses an `answer_after` that no request of its receiver ever gets to.
    func checkAnswers(_ root: JSONNode, _ context: inout DecodeContext) {
        for receiver in receivers {
            checkSettling(receiver, root, &context)
            guard let name = receiver.settings.answerAfter,
                let node = root["receivers"]?[receiver.name]?["answer_after"]
            else { continue }
            let reading = pipelines.filter { $0.value.receivers.contains(receiver.name) }
            let known = Set(reading.flatMap(\.value.exporters))
            let allowed = ["journal"] + known.filter { !signals(of: $0, in: reading).isEmpty }.sorted()
            context.within("receivers", receiver.name, "answer_after") { context in
                guard known.contains(name) else {
                    let what = "\(quoted(name)) is no exporter of a pipeline that reads the receiver"
                    return context.refuse(unknown: name, at: node.offset, allowed: allowed, what: what)
                }
                if let windowed = windowed(before: name, in: reading, root) {
                    let reason = "\(quoted(windowed)) holds traces back for longer than a client waits"
                    return context.report("\(quoted(name)) stands behind a window: \(reason)", at: node.offset)
                }
                guard !allowed.contains(name), settings(of: name) != nil else { return }
                let what = "\(quoted(name)) takes none of the signals that the receiver's pipelines give it"
                context.report("\(what); allowed: \(allowed.joined(separator: ", "))", at: node.offset)
            }
        }
    }

    /// Refuses to wait for deliveries behind a window.
    private func checkSettling(
        _ receiver: Configured<any ReceiverSettings>,
        _ root: JSONNode,
        _ context: inout DecodeContext
    ) {
        guard receiver.settings.awaitsAll, let node = root["receivers"]?[receiver.name]?["ack"] else { return }
        let reading = pipelines.filter { $0.value.receivers.contains(receiver.name) }
        let exporters = Set(reading.flatMap(\.value.exporters)).sorted()
        guard let windowed = exporters.lazy.compactMap({ windowed(before: $0, in: reading, root) }).first else {
            return
        }
        context.within("receivers", receiver.name, "ack") { context in
            let reason = "\(quoted(windowed)) holds traces back for longer than a message may be under way"
            context.report("\"settled\" waits for deliveries, and \(reason); allowed: \"journaled\"", at: node.offset)
        }
    }

    /// A windowed processor of the pipelines that end at an exporter; nil without any.
    private func windowed(
        before exporter: String,
        in pipelines: [Named<PipelineSettings>],
        _ root: JSONNode
    ) -> String? {
        pipelines.lazy.filter { $0.value.exporters.contains(exporter) }.flatMap(\.value.processors).first { name in
            let type = root["processors"]?[name]?["type"]?.string
            return Catalogue.processors.contains { $0.type == type && $0.stage == .windowed }
        }
    }

    /// What an exporter gets of some pipelines.
    private func signals(of exporter: String, in pipelines: [Named<PipelineSettings>]) -> Set<Signal> {
        let taken = pipelines.filter { $0.value.exporters.contains(exporter) }.flatMap(\.value.takenSignals)
        return settings(of: exporter)?.signals.intersection(taken) ?? []
    }
}
