import Basics
import Configuration
import Journal
import OTLP
import Pipeline

/// What became of what a command sent to the gateway that ran for it, in a line.
struct ExecBalance {
    private typealias Counts = [(word: String, count: Int)]

    private static let waiting = "wait in the journal"

    private let assembly: Assembly
    private let start: Ledger

    /// To be made before anything is delivered.
    init(of assembly: Assembly) {
        (self.assembly, start) = (assembly, assembly.ledger)
    }

    /// To be asked for when nothing more is delivered.
    var line: String {
        get async {
            let end = assembly.ledger
            let taken = taken(end)
            guard !taken.isEmpty else { return "millrace: \(nothingTaken)" + refused(end) }
            var parts = ["\(taken.map { "\($0.count) \($0.word)" }.joined(separator: " and ")) taken" + refused(end)]
            for (name, counts) in destinations(end) where !counts.isEmpty { parts.append(await text(name, counts)) }
            return "millrace: " + parts.joined(separator: "; ")
        }
    }

    /// That nothing came, and why that may be where a gateway did not refuse it.
    static let nothingCame = "no span came from the command; likely causes: " + silence.joined(separator: "; ")

    /// Why a command may send nothing at all.
    private static let silence = [
        "it has no OpenTelemetry SDK and exporter (Python: opentelemetry-instrument needs opentelemetry-distro and "
            + "opentelemetry-exporter-otlp)",
        "its code sets an endpoint of its own", "it ended before the SDK sent what it held (shutdown or flush)",
        "OTEL_SDK_DISABLED or OTEL_TRACES_SAMPLER",
    ]

    private var nothingTaken: String {
        let answers = assembly.arrivals.answers.filter { $0.value > 0 && $0.key != "200" }
        guard !answers.isEmpty else { return Self.nothingCame }
        let said = answers.sorted { $0.key < $1.key }.map { "\($0.value) of \($0.key)" }.joined(separator: ", ")
        let causes = FirstItemService.causes(of: Set(answers.keys)).joined(separator: "; ")
        return "nothing was taken from the command; answers: \(said); likely causes: \(causes)"
    }

    private func taken(_ end: Ledger) -> Counts {
        let before = start.entries.reduce(into: [:]) { $0[$1.log] = $1.accepted }
        let counts: [String: Int] = end.entries.reduce(into: [:]) { counts, entry in
            let count = Int(clamping: entry.accepted - min(before[entry.log] ?? 0, entry.accepted))
            if count > 0 { counts[entry.log.signal.items, default: 0] += count }
        }
        return counts.map { (word: $0.key, count: $0.value) }.sorted { $0.word > $1.word }
    }

    private func refused(_ end: Ledger) -> String {
        let count = end.entries.reduce(0) { $0 + $1.refused }
        return count > 0 ? ", \(count) refused" : ""
    }

    /// What each destination did with what came or waited, by name, in the order of the ledger.
    private func destinations(_ end: Ledger) -> [(name: String, counts: Counts)] {
        var sums: [(name: String, sums: [String: Int])] = []
        let words = Outcome.allCases.map(\.word) + [Self.waiting]
        for (sign, ledger) in [(1, end), (-1, start)] {
            for row in ledger.entries.flatMap(\.destinations) {
                let index = sums.firstIndex { $0.name == row.name } ?? sums.count
                if index == sums.count { sums.append((row.name, [:])) }
                for outcome in Outcome.allCases {
                    sums[index].sums[outcome.word, default: 0] += sign * Int(clamping: row.account.outcomes[outcome])
                }
                if sign > 0 { sums[index].sums[Self.waiting, default: 0] += Int(clamping: row.account.queued) }
            }
        }
        return sums.map { row in
            (row.name, words.map { (word: $0, count: row.sums[$0] ?? 0) }.filter { $0.count > 0 })
        }
    }

    private func text(_ name: String, _ counts: Counts) async -> String {
        let settings = assembly.exporterSettings?[name]
        var place = DestinationPlace(settings).text
        if settings?["type"]?.string == "mlflow" {
            let routes = assembly.routes ?? []
            place = await MLflowPage(at: place, of: routes.count == 1 ? routes.first : nil).address
        }
        let said = counts.map { "\($0.count) \($0.word.replacing("_", with: " "))" }.joined(separator: ", ")
        let waits = counts.contains { $0.word == Self.waiting }
        let trouble = waits ? assembly.trouble(at: name).map { " (\($0))" } ?? "" : ""
        return "\(place.isEmpty ? name : "\(name) \(place)"): \(said)\(trouble)"
    }
}
