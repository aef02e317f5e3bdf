import Basics
import Testing

@Suite struct RetryAfterTests {
    /// 2026-11-22T10:00:00Z.
    private let now = UnixTime(nanoseconds: 1_795_341_600_000_000_000)

    @Test(arguments: [
        ("0", Duration.zero), ("7", .seconds(7)), ("86400", .seconds(3600)), ("99999999999999999999", .seconds(3600)),
        ("Sun, 22 Nov 2026 10:00:30 GMT", .seconds(30)), ("Sun, 22 Nov 2026 09:00:00 GMT", .zero),
        ("Fri, 31 Dec 9999 23:59:59 GMT", nil), ("Tue, 29 Feb 2028 00:00:00 GMT", .seconds(3600)),
        ("", nil), ("-5", nil), ("soon", nil), ("1.5", nil), ("Sun, 22 Nov 2026 25:00:00 GMT", nil),
    ])
    func `seconds and dates are read`(text: String, pause: Duration?) {
        let response = HTTPResponse(status: 503, headers: [HTTPHeader("retry-after", text)], body: [])
        #expect(response.retryAfter(now: now) == pause)
    }

    @Test func `without the header there is no pause`() {
        #expect(HTTPResponse(status: 503, headers: [], body: []).retryAfter(now: now) == nil)
    }

    @Test(arguments: [
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0 as UInt64), ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800), ("Sun, 22 Nov 2026 10:00:00 GMT", 1_795_341_600),
    ])
    func `a date becomes the right second`(text: String, seconds: UInt64) {
        #expect(UnixTime(httpDate: text)?.nanoseconds == seconds * 1_000_000_000)
    }
}
