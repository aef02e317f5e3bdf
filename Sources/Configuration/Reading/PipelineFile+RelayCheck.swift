import Basics
import Exporters
import NATS
import Receivers
import Settings

// Whether spans come back from the stream that they are sent to.

extension PipelineFile {
    /// Refuses a pipeline that sends to the stream that it takes from.
    func checkRelayLoops(_ root: JSONNode, _ context: inout DecodeContext) {
        for exporter in exporters {
            guard let out = exporter.settings.destination as? JetStreamSettings,
                let node = root["exporters"]?[exporter.name]?["stream"],
                let source = receiver(of: out, before: exporter.name)
            else { continue }
            context.within("exporters", exporter.name, "stream") { context in
                let what = "/receivers/\(source) of the same pipeline takes from the stream \(out.stream)"
                context.report("\(what), so spans would go round for ever; allowed: another stream", at: node.offset)
            }
        }
    }

    /// A receiver that takes from the stream of an exporter of its own pipeline.
    private func receiver(of out: JetStreamSettings, before exporter: String) -> String? {
        let names = pipelines.filter { $0.value.exporters.contains(exporter) }.flatMap(\.value.receivers)
        return receivers.first { receiver in
            guard names.contains(receiver.name), let source = receiver.settings as? JetStreamReceiverSettings else {
                return false
            }
            return source.stream == out.stream && !Set(source.nats.servers).isDisjoint(with: out.nats.servers)
        }?.name
    }
}
