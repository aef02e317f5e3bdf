import Basics
import Exporters
import OTLP
import Receivers
import Settings

// What a file sends to a receiver of its own must not come back to where it was sent from: it would go round for ever.

extension PipelineFile {
    /// Reports exporters that send to a receiver of the file, or write what one reads, from whose pipelines the same signal leads to
    /// them again.
    func checkLoops(_ root: JSONNode, _ context: inout DecodeContext) {
        for exporter in exporters {
            for (receiver, setting, relation, signals) in ends(of: exporter) {
                guard let signal = signals.first(where: { leads(from: receiver, to: exporter.name, $0) }),
                    let node = root["exporters"]?[exporter.name]
                else { continue }
                context.within("exporters", exporter.name, setting) { context in
                    let what =
                        "it is \(relation) /receivers/\(receiver), from which \(signal.name) come back here for ever"
                    context.report(
                        "\(what); allowed: \(setting == "path" ? "another file" : "an address elsewhere"), or pipelines that do not lead in a circle",
                        at: (node[setting] ?? node).offset
                    )
                }
            }
        }
    }

    /// The receivers of the file that get what an exporter sends, by which setting, in words, and which signals.
    private func ends(
        of exporter: Configured<ExporterSettings>
    ) -> [(receiver: String, setting: String, relation: String, signals: [Signal])] {
        let destination = exporter.settings.destination
        let sent = destination.places.flatMap { place in
            receivers.filter { $0.settings.isReached(by: place) }.map { receiver in
                (receiver.name, place.setting, "the address of", Signal.allCases.filter(place.signals.contains))
            }
        }
        guard let file = destination.ownedFile else { return sent }
        let reading = receivers.filter { ($0.settings as? FileReceiverSettings)?.reads(file.path) ?? false }
        return sent + reading.map { ($0.name, file.setting, "read by", Signal.allCases) }
    }

    /// Whether a signal that a receiver takes comes to an exporter, by other exporters and receivers of the file or without.
    private func leads(from receiver: String, to exporter: String, _ signal: Signal) -> Bool {
        var (reached, next): (Set<String>, [String]) = ([receiver], [receiver])
        while let receiver = next.popLast() {
            let reading = pipelines.filter { pipeline in
                pipeline.value.receivers.contains(receiver) && pipeline.value.takenSignals.contains(signal)
            }
            let names = Set(reading.flatMap(\.value.exporters))
            if names.contains(exporter) { return true }
            for exporter in exporters where names.contains(exporter.name) {
                for end in ends(of: exporter) where end.signals.contains(signal) {
                    if reached.insert(end.receiver).inserted { next.append(end.receiver) }
                }
            }
        }
        return false
    }
}

extension ReceiverSettings {
    /// Whether what is sent there comes to this receiver.
    fileprivate func isReached(by place: DestinationPlace) -> Bool {
        guard speech == place.speech, let address else { return false }
        return place.endpoint.leads(to: address)
    }
}
