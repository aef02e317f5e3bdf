import Pipeline

/// What has come to the receivers of a process so far.
package struct Arrivals: Sendable, Equatable {
    /// Connections that are open now.
    package let connections: Int
    /// Requests that were answered, by status code.
    package let answers: [String: Int]
    /// Spans, data points and log records that were taken.
    package let accepted: Int
}

extension Assembly {
    /// Any thread.
    package var arrivals: Arrivals {
        let samples = ground.meters.samples(of: "millrace_receiver_")
        func sum(where isWanted: (String) -> Bool) -> Int {
            samples.reduce(0) { isWanted($1.name) ? $0 + Int($1.value) : $0 }
        }
        return Arrivals(
            connections: sum { $0 == "connections" },
            answers: samples.filter { $0.name == "requests_total" }.reduce(into: [:]) { answers, sample in
                answers[sample.labels["code"] ?? "", default: 0] += Int(sample.value)
            },
            accepted: sum { $0.hasPrefix("accepted_") }
        )
    }
}
