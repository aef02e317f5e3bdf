import Basics
import Synchronization

/// Everything that is counted about this process, by name and labels, for `/metrics`.
///
/// Handles are asked for once, when a component is built, and used without a lock. Asking twice for the same name and
/// labels gives the same handle. Any thread.
package final class Meters: Sendable {
    /// A family's label sets are at most this many; further ones share one series labelled `overflow="true"`.
    package static let seriesMax = 1000

    enum Kind: String {
        case counter, gauge, histogram
    }

    enum Source {
        case counter(Counter)
        case histogram(Histogram)
        case reading(@Sendable () -> Double)
        case shares([GaugeShare])
    }

    struct Family {
        let kind: Kind
        /// By labels in exposition form without braces, such as `code="200",receiver="otlp"`.
        var series: [ExactText: Source] = [:]
    }

    let families = Mutex<[String: Family]>([:])
    /// What came from which service, for people.
    package let services = ServiceActivity()
    /// What came to windows, where it is not decided yet for which experiment; without tokens.
    package let arrivals = ServiceActivity()
    /// What happened, for people.
    package let events = Timeline()
    /// Shows requests to people while they watch.
    package let tap = RequestTap()

    package init() {}

    /// A number that only grows; the name ends in `_total`.
    package func counter(_ name: String, _ labels: [String: String] = [:]) -> Counter {
        source(.counter, name, labels, make: { .counter(Counter()) }) {
            if case .counter(let counter) = $0 { counter } else { nil }
        } ?? Counter()
    }

    /// A number that only grows and is kept elsewhere.
    ///
    /// `read` is called for each exposition, on its thread; must not block. A later one for the same name and labels
    ///   takes its place.
    package func counter(_ name: String, _ labels: [String: String] = [:], read: @escaping @Sendable () -> Double) {
        replace(.counter, name, labels, with: .reading(read))
    }

    /// A number that goes up and down and is kept elsewhere.
    ///
    /// `read` is called for each exposition, on its thread; must not block. A later one for the same name and labels
    ///   takes its place.
    package func gauge(_ name: String, _ labels: [String: String] = [:], read: @escaping @Sendable () -> Double) {
        replace(.gauge, name, labels, with: .reading(read))
    }

    /// A number of which several parts of the process have a share: what all of them say, in sum, until each is withdrawn.
    package func gauge(_ name: String, _ labels: [String: String] = [:], share: GaugeShare) {
        change(name, labels) { $0 + [share] }
    }

    /// Takes a share out of its gauge, which is gone with the last one.
    package func withdraw(_ share: GaugeShare, from name: String, _ labels: [String: String] = [:]) {
        change(name, labels) { shares in shares.filter { $0 !== share } }
    }

    /// How durations are spread; the name ends in `_seconds`.
    package func histogram(_ name: String, _ labels: [String: String] = [:]) -> Histogram {
        source(.histogram, name, labels, make: { .histogram(Histogram()) }) {
            if case .histogram(let histogram) = $0 { histogram } else { nil }
        } ?? Histogram()
    }

    /// Everything in the Prometheus text exposition format 0.0.4, families and series in the order of their names.
    package func prometheusText() -> String {
        let families = families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            if let help = Self.help(for: name) { text += "# HELP \(name) \(help)\n" }
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, source) in family.series.map({ ($0.key.text, $0.value) }).sorted(by: { $0.0 < $1.0 }) {
                switch source {
                case .counter(let counter): text += Self.line(name, labels, Double(counter.value))
                case .reading(let read): text += Self.line(name, labels, read())
                case .shares(let shares): text += Self.line(name, labels, shares.sum)
                case .histogram(let histogram): text += Self.lines(name, labels, histogram)
                }
            }
        }
        return text
    }

    /// What one set of labels says, in a series that is always 1; it takes the place of what they said before.
    package func info(_ name: String, _ labels: [String: String]) {
        let series = [ExactText(Self.text(labels)): Source.reading { 1 }]
        families.withLock { $0[name] = Family(kind: .gauge, series: series) }
    }

    private func source<Handle>(
        _ kind: Kind,
        _ name: String,
        _ labels: [String: String],
        make: () -> Source,
        take: (Source) -> Handle?
    ) -> Handle? {
        let labels = Self.text(labels)
        return families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            guard family.kind == kind else { return Optional<Handle>.none }
            let key = Self.admitted(labels, to: family)
            let source = family.series[key] ?? make()
            family.series[key] = source
            families[name] = family
            return take(source)
        }
    }

    private func replace(_ kind: Kind, _ name: String, _ labels: [String: String], with source: Source) {
        let labels = Self.text(labels)
        families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            family.series[Self.admitted(labels, to: family)] = source
            families[name] = family
        }
    }

    private func change(_ name: String, _ labels: [String: String], _ change: ([GaugeShare]) -> [GaugeShare]) {
        let labels = Self.text(labels)
        families.withLock { families in
            var family = families[name] ?? Family(kind: .gauge)
            let key = Self.admitted(labels, to: family)
            var shares: [GaugeShare] = []
            if case .shares(let earlier) = family.series[key] { shares = earlier }
            shares = change(shares)
            family.series[key] = shares.isEmpty ? nil : .shares(shares)
            families[name] = family.series.isEmpty ? nil : family
        }
    }

    private static func admitted(_ labels: String, to family: Family) -> ExactText {
        let key = ExactText(labels)
        return family.series.count < seriesMax || family.series[key] != nil ? key : ExactText(#"overflow="true""#)
    }
}

extension Meters {
    private static func lines(_ name: String, _ labels: String, _ histogram: Histogram) -> String {
        let (counts, sum) = histogram.state
        let separator = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        var text = ""
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < Histogram.bounds.count ? number(Histogram.bounds[index].inSeconds) : "+Inf"
            text += line("\(name)_bucket", #"\#(labels)\#(separator)le="\#(bound)""#, Double(total))
        }
        text += line("\(name)_sum", labels, sum.inSeconds)
        text += line("\(name)_count", labels, Double(total))
        return text
    }

    private static func line(_ name: String, _ labels: String, _ value: Double) -> String {
        labels.isEmpty ? "\(name) \(number(value))\n" : "\(name){\(labels)} \(number(value))\n"
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func text(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { #"\#($0.key)="\#(escaped($0.value))""# }.joined(separator: ",")
    }

    private static func escaped(_ value: String) -> String {
        var text = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text += #"\\"#
            case "\"": text += #"\""#
            case "\n": text += #"\n"#
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
