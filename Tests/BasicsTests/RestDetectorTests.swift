import Basics
import Testing

struct RestDetectorTests {
    @Test func `rest is told once, at the first look after work without any`() {
        var rest = RestDetector(work: .milliseconds(100), since: .milliseconds(40))
        let looks = [
            (50, false), (149, false), (300, false), (500, false), (599, true), (600, false), (650, false),
            (750, false), (760, true),
        ]
        for (cpuTime, isAtRest) in looks {
            let found = rest.isAtRest(.milliseconds(cpuTime))
            #expect(found == isAtRest, "\(cpuTime)")
        }
    }
}
