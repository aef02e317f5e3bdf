import Basics
import Pipeline
import Testing

@Suite struct `The table of services` {
    private let activity = ServiceActivity()

    private func key(_ service: String, route: Route = .none) -> ServiceActivity.Key {
        ServiceActivity.Key(pipeline: "traces", service: ExactText(service), route: route)
    }

    private func sums(spans: Int, errors: Int = 0, tokens: Int64 = 0, cost: Double = 0) -> ServiceActivity.Sums {
        var sums = ServiceActivity.Sums()
        (sums.spans, sums.errors, sums.tokens, sums.cost) = (spans, errors, tokens, cost)
        return sums
    }

    private func time(_ seconds: UInt64) -> UnixTime { UnixTime(nanoseconds: seconds * 1_000_000_000) }

    @Test func `adds up by service and experiment, the latest first`() {
        let other = key("shop", route: .experimentName("b"))
        activity.add(
            [(key("shop"), sums(spans: 2, errors: 1, tokens: 7, cost: 0.5)), (other, sums(spans: 1))],
            at: time(1)
        )
        activity.add([(key("shop"), sums(spans: 3, tokens: 5, cost: 0.25))], at: time(9))
        let rows = activity.rows
        #expect(rows.map(\.key) == [key("shop"), other])
        #expect(rows[0].sums == sums(spans: 5, errors: 1, tokens: 12, cost: 0.75))
        #expect(rows[0].firstSeen == time(1) && rows[0].lastSeen == time(9) && rows[1].lastSeen == time(1))
    }

    @Test func `holds 1,000 rows, and gives those of an idle hour to others`() {
        for number in 0..<ServiceActivity.rowsMax + 5 {
            activity.add([(key("s\(number)"), sums(spans: 1))], at: time(UInt64(100 + number)))
        }
        #expect(activity.rows.count == ServiceActivity.rowsMax + 1)
        #expect(activity.rows.last?.key == nil && activity.rows.last?.sums.spans == 5)
        // The first ten are idle for an hour now.
        activity.add([(key("late"), sums(spans: 1))], at: time(3600 + 109))
        #expect(activity.rows.first?.key == key("late"))
        #expect(activity.rows.count == ServiceActivity.rowsMax - 10 + 2)
        #expect(activity.rows.last?.sums.spans == 5)
    }
}
