import Basics
import HTTPClient
package import Logging
package import OTLP
package import Pipeline
package import Settings

/// A `type` of exporter: one line of the catalogue.
package typealias ExporterType = Component<ExporterSettings>

/// An exporter's settings.
package struct ExporterSettings: Sendable {
    package let destination: any DestinationSettings
    package let reader: ReaderSettings

    /// What goes there: what the destination takes, but for what the file keeps from it.
    package var signals: Set<Signal> {
        reader.signals.map { destination.signals.intersection($0) } ?? destination.signals
    }
}

/// Where an exporter sends and how, and what the program has to know of that before the exporter is made.
package protocol DestinationSettings: Sendable {
    /// What it takes; a pipeline's other signals do not go there.
    var signals: Set<Signal> { get }
    /// Whether spans may be refused for good, so that they become dead letters.
    var mayRefuse: Bool { get }
    /// Files, sockets included, that it may have open at once.
    var descriptors: Int { get }
    /// The file that nobody else may write, and the setting that names it; nil for none.
    var ownedFile: (setting: String, path: String)? { get }
    /// The setting by which it writes signals so that they cannot be told apart; nil where they can.
    var oneSignalSetting: String? { get }
    /// What it takes of a request, and of what age.
    var limits: DestinationLimits { get }
    /// Where it files spans without a route; nil where it has no places for routes.
    var unrouted: Route? { get }

    /// Where it sends OTLP over the network.
    var places: [DestinationPlace] { get }

    /// Makes the exporter.
    func makeExporter(in context: ExporterContext) -> any Exporter
}

extension DestinationSettings {
    package var signals: Set<Signal> { Set(Signal.allCases) }
    package var mayRefuse: Bool { true }
    package var descriptors: Int { 0 }
    package var ownedFile: (setting: String, path: String)? { nil }
    package var oneSignalSetting: String? { nil }
    package var unrouted: Route? { nil }
    package var limits: DestinationLimits { DestinationLimits() }
    package var places: [DestinationPlace] { [] }
}

/// What an exporter is made with besides its settings: the threads for what would block, of which a process has one set.
package struct ExporterContext: Sendable {
    let loop = CurlLoop()
    let encoder = BodyEncoder()
    let files = SerialThread(name: "files")
    let logger: Logger
    let meters: Meters
    let report: ProcessReport
    /// The exporter's key in the pipeline file.
    package var name = ""
    /// The pauses of a destination that is down.
    package var retry = RetrySettings.standard
    /// What the pipelines that end at the exporter say about routes.
    package var routing = Routing()

    /// Starts the threads; `report` is what exporters say of the process where others of its cluster ask.
    package init(meters: Meters = Meters(), logger: Logger, report: ProcessReport = ProcessReport()) {
        self.meters = meters
        self.logger = logger
        self.report = report
    }

    /// Ends the threads, after the last exporter was closed.
    package func close() async {
        await loop.close()
        files.stop()
    }
}

extension ExporterType {
    /// A type whose own settings stand beside those of how its exporter reads the journal.
    package init<Own: DestinationSettings>(_ type: String, _ own: Shape<Own>) {
        let reader: [Field<Whole<Own>>] = ReaderSettings.fields.map { $0.at(\.reader) }
        let names = own.fields.map(\.name)
        let withoutRequests: [Field<Whole<Own>>] = Self.requestSettings.filter { !names.contains($0) }.map {
            .refused($0, "has no meaning for this type, which sends no requests")
        }
        let shape = Shape(
            own.summary,
            Whole(own: own.initial),
            own.fields.map { $0.at(\.own) } + reader + withoutRequests,
            check: { whole, group, context in
                own.check(&whole.own, group, &context)
                Self.checkSignals(whole.reader.signals, of: whole.own, group, &context)
            }
        )
        self.init(type, shape) { ExporterSettings(destination: $0.own, reader: $0.reader) }
    }

    /// Reports signals that the destination never takes, and a list of none.
    ///
    /// What it takes is empty where its settings could not be read.
    private static func checkSignals(
        _ wanted: [Signal]?,
        of destination: any DestinationSettings,
        _ group: Group,
        _ context: inout DecodeContext
    ) {
        guard let wanted, let node = group["signals"], !destination.signals.isEmpty else { return }
        let allowed = Signal.allCases.filter(destination.signals.contains).map { quoted($0.name) }.joined(
            separator: ", "
        )
        context.within("signals") { context in
            if node.elements?.isEmpty == true { context.report("it is empty; allowed: \(allowed)", at: node.offset) }
            guard let other = wanted.first(where: { !destination.signals.contains($0) }) else { return }
            context.report("it never takes \(quoted(other.name)); allowed: \(allowed)", at: node.offset)
        }
    }

    /// What only exporters have that send requests.
    private static let requestSettings = [
        "timeout", "concurrency", "compression", "headers", "oauth2", "sigv4", "tls", "proxy",
    ]
}

/// An exporter as the file sets it.
private struct Whole<Own: DestinationSettings>: Sendable {
    var own: Own
    var reader = ReaderSettings()
}
