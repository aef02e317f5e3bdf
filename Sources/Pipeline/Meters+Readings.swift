import Basics
import Synchronization

extension Meters {
    /// One family, as it stands at one moment.
    struct Reading: Sendable {
        /// The value of one series.
        enum Value: Sendable {
            case number(Double)
            /// How many fell into each bucket of `Histogram.bounds`, and the sum.
            case histogram([UInt64], Duration)
        }

        let name: String
        let kind: Kind
        let help: String?
        /// In the order of their labels.
        let series: [(labels: [(name: String, value: String)], value: Value)]
    }

    /// What `prometheusText` has, by name.
    var readings: [Reading] {
        families.withLock { $0 }.sorted { $0.key < $1.key }.map { name, family in
            let series = family.series.map { ($0.key.text, $0.value) }.sorted { $0.0 < $1.0 }
            return Reading(
                name: name,
                kind: family.kind,
                help: Self.help(for: name),
                series: series.map { (Self.labels(of: $0), $1.reading) }
            )
        }
    }

    /// The names and values of labels in exposition form.
    static func labels(of text: String) -> [(name: String, value: String)] {
        var labels: [(name: String, value: String)] = []
        var rest = text.unicodeScalars[...]
        while let equals = rest.firstIndex(of: "=") {
            let name = String(rest[..<equals])
            rest = rest[equals...].dropFirst(2)
            var value = String.UnicodeScalarView()
            while let scalar = rest.popFirst(), scalar != "\"" {
                guard scalar == "\\", let escaped = rest.popFirst() else {
                    value.append(scalar)
                    continue
                }
                value.append(escaped == "n" ? "\n" : escaped)
            }
            labels.append((name, String(value)))
            if rest.first == "," { rest.removeFirst() }
        }
        return labels
    }
}

extension Meters.Source {
    var reading: Meters.Reading.Value {
        switch self {
        case .counter(let counter): .number(Double(counter.value))
        case .reading(let read): .number(read())
        case .shares(let shares): .number(shares.sum)
        case .histogram(let histogram): .histogram(histogram.state.counts, histogram.state.sum)
        }
    }
}
