import Basics
import Testing

@testable import Receivers

@Suite struct `The date of an answer` {
    @Test(
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] as [(UInt64, String)]
    )
    func `is written as RFC 9110 has it`(_ seconds: UInt64, _ text: String) {
        var date = HTTPDate()
        #expect(date.text(at: UnixTime(nanoseconds: seconds * 1_000_000_000 + 999_999_999)) == text)
    }
}
