import Basics
import Pipeline
import Testing

@Suite struct `How meters are shown` {
    @Test func `the text has types, help, labels in order and values`() {
        let meters = Meters()
        meters.counter("millrace_receiver_requests_total", ["receiver": "otlp", "code": "200"]).add(3)
        meters.counter("millrace_receiver_requests_total", ["code": "200", "receiver": "otlp"]).add()
        meters.counter("millrace_receiver_requests_total", ["receiver": "a\"b\\c\nd", "code": "503"]).add()
        meters.gauge("z_ratio") { 0.5 }
        meters.counter("y_total") { 7 }
        #expect(
            meters.prometheusText() == #"""
                # HELP millrace_receiver_requests_total Requests answered, by status code.
                # TYPE millrace_receiver_requests_total counter
                millrace_receiver_requests_total{code="200",receiver="otlp"} 4
                millrace_receiver_requests_total{code="503",receiver="a\"b\\c\nd"} 1
                # TYPE y_total counter
                y_total 7
                # TYPE z_ratio gauge
                z_ratio 0.5

                """#
        )
    }

    @Test func `a gauge with shares is their sum, and is gone with the last one`() {
        let meters = Meters()
        let shares = [2.0, 3].map { value in GaugeShare { value } }
        for share in shares { meters.gauge("a_parts", ["b": "c"], share: share) }
        #expect(meters.prometheusText() == "# TYPE a_parts gauge\na_parts{b=\"c\"} 5\n")
        meters.withdraw(shares[0], from: "a_parts", ["b": "c"])
        #expect(meters.prometheusText().contains("a_parts{b=\"c\"} 3"))
        meters.withdraw(shares[0], from: "a_parts", ["b": "c"])
        meters.withdraw(shares[1], from: "a_parts", ["b": "c"])
        #expect(meters.prometheusText().isEmpty)
    }

    @Test func `a histogram counts each duration in every bucket that holds it`() {
        let meters = Meters()
        let histogram = meters.histogram("a_seconds", ["b": "c"])
        for duration in [Duration.microseconds(250), .milliseconds(3), .seconds(100)] { histogram.observe(duration) }
        let text = meters.prometheusText()
        #expect(text.hasPrefix("# TYPE a_seconds histogram\na_seconds_bucket{b=\"c\",le=\"0.00025\"} 1\n"))
        #expect(text.contains("a_seconds_bucket{b=\"c\",le=\"0.0025\"} 1\na_seconds_bucket{b=\"c\",le=\"0.005\"} 2\n"))
        #expect(text.contains("a_seconds_bucket{b=\"c\",le=\"60\"} 2\na_seconds_bucket{b=\"c\",le=\"+Inf\"} 3\n"))
        #expect(text.hasSuffix("a_seconds_sum{b=\"c\"} 100.00325\na_seconds_count{b=\"c\"} 3\n"))
    }

    @Test func `a later reading takes the place of an earlier one`() {
        let meters = Meters()
        meters.gauge("a") { 1 }
        meters.gauge("a") { .infinity }
        #expect(meters.prometheusText() == "# TYPE a gauge\na +Inf\n")
    }

    @Test func `label sets over the limit share one series`() {
        let meters = Meters()
        for index in 0..<(Meters.seriesMax + 5) { meters.counter("a_total", ["i": "\(index)"]).add() }
        let lines = meters.prometheusText().split(separator: "\n")
        #expect(lines.count == Meters.seriesMax + 2)
        #expect(lines.contains(#"a_total{overflow="true"} 5"#))
    }
}

@Suite struct `How the memory budget is shared` {
    @Test func `it gives what there is and takes back what was given`() {
        let budget = MemoryBudget(limit: .kibibytes(1))
        #expect(budget.reserve(1000))
        #expect(!budget.reserve(25))
        #expect(budget.reserve(24))
        #expect(budget.inUse == 1024)
        #expect(!budget.reserve(.max))
        budget.release(1000)
        #expect(budget.inUse == 24 && budget.reserve(1000))
    }

    @Test func `many tasks never hold more than the limit`() async {
        let budget = MemoryBudget(limit: ByteCount(bytes: 100))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<20_000 where budget.reserve(40) {
                        #expect(budget.inUse <= 100)
                        budget.release(40)
                    }
                }
            }
        }
        #expect(budget.inUse == 0)
    }
}
