import Basics
import Testing

@Suite struct QuantityTests {
    @Test(arguments: [("0B", 0), ("512KiB", 512 << 10), ("64MiB", 64 << 20), ("2GiB", 2 << 30), ("3TiB", 3 << 40)])
    func `a size with a unit is read and written back`(text: String, bytes: Int) {
        #expect(ByteCount(text: text)?.bytes == bytes)
        #expect(ByteCount(bytes: bytes).description == text)
    }

    @Test(arguments: ["", "64", "MiB", "64 MiB", "-1B", "1.5GiB", "64MB", "9999999TiB", "٣B"])
    func `anything else is no size`(text: String) {
        #expect(ByteCount(text: text) == nil)
    }

    @Test(arguments: [
        ("0s", Duration.zero), ("200ms", .milliseconds(200)), ("30s", .seconds(30)), ("24h", .seconds(86400)),
    ])
    func `a duration with a unit is read and written back`(text: String, duration: Duration) {
        #expect(Duration(text: text) == duration)
        #expect(duration.text == text)
    }

    @Test(arguments: ["", "10", "ms", "1.5s", "-1s", "10 s", "9999999999h"])
    func `anything else is no duration`(text: String) {
        #expect(Duration(text: text) == nil)
    }

    @Test func `a moment is written as RFC 3339`() {
        #expect(UnixTime(nanoseconds: 1_795_341_600_123_456_789).text == "2026-11-22T10:00:00Z")
    }

    @Test func `pauses stay below a ceiling that doubles up to the maximum`() {
        var generator = SystemRandomNumberGenerator()
        var backoff = Backoff(initial: .seconds(1), maximum: .seconds(3))
        for ceiling in [1, 2, 3, 3] {
            #expect(backoff.next(using: &generator) <= .seconds(ceiling))
        }
    }
}
