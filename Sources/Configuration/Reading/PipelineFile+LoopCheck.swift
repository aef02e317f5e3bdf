import Basics
import Exporters
import OTLP
import Receivers
import Settings

// What a file sends to a receiver of its own must not come back to where it was sent from: it would go round for ever.

extension PipelineFile {
    /// Reports exporters that send to a receiver of the file from whose pipelines the same signal leads to them again.
    func checkLoops(_ root: JSONNode, _ context: inout DecodeContext) {
        for exporter in exporters {
            for place in exporter.settings.destination.places {
                guard let receiver = receivers.first(where: { $0.settings.isReached(by: place) }),
                    let signal = Signal.allCases.first(where: { signal in
                        place.signals.contains(signal) && leads(from: receiver.name, to: exporter.name, signal)
                    }),
                    let node = root["exporters"]?[exporter.name]
                else { continue }
                context.within("exporters", exporter.name, place.setting) { context in
                    let what =
                        "it is the address of /receivers/\(receiver.name), from which \(signal.name) come back here"
                    context.report(
                        "\(what) for ever; allowed: an address elsewhere, or pipelines that do not lead in a circle",
                        at: (node[place.setting] ?? node).offset
                    )
                }
            }
        }
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
            for name in names {
                let places = settings(of: name)?.destination.places.filter { $0.signals.contains(signal) } ?? []
                for other in receivers where places.contains(where: other.settings.isReached) {
                    if reached.insert(other.name).inserted { next.append(other.name) }
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
