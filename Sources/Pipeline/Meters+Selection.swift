import Basics
import Synchronization

extension Meters {
    /// One series of a family.
    package struct Sample: Sendable {
        /// The family's name without what all of the selection begin with.
        package let name: String
        package let labels: [String: String]
        package let value: Double
    }

    /// What counts and readings of the families whose names begin with `prefix` say, in no order; histograms are left out.
    ///
    /// Any thread.
    package func samples(of prefix: String) -> [Sample] {
        let families = families.withLock { $0.filter { $0.key.hasPrefix(prefix) } }
        return families.flatMap { name, family in
            family.series.compactMap { labels, source in
                guard case .number(let value) = source.reading else { return nil }
                let pairs = Self.labels(of: labels.text)
                return Sample(
                    name: String(name.dropFirst(prefix.count)),
                    labels: Dictionary(pairs.map { ($0.name, $0.value) }) { first, _ in first },
                    value: value
                )
            }
        }
    }
}
