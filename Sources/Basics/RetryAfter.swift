extension HTTPResponse {
    /// The longest pause a server can ask for; a longer one is cut to it, so that a wrong date stops nobody for days.
    package static let retryAfterMax = Duration.seconds(3600)

    /// What `Retry-After` asks for, in seconds or as a date (RFC 9110 section 10.2.3); nil where it is missing or
    /// unreadable.
    package func retryAfter(now: UnixTime) -> Duration? {
        guard let text = header("retry-after") else { return nil }
        if !text.isEmpty, text.utf8.allSatisfy(\.isDigit) {
            return .seconds(min(Int64(text) ?? .max, Self.retryAfterMax.components.seconds))
        }
        guard let date = UnixTime(httpDate: text) else { return nil }
        return min(max(date.since(now), .zero), Self.retryAfterMax)
    }
}

extension UnixTime {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Reads the date form that senders use (RFC 9110 section 5.6.7), such as `Sun, 22 Nov 2026 10:00:00 GMT`.
    ///
    /// Nil for the two obsolete forms and for anything else.
    package init?(httpDate text: String) {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", words[0].hasSuffix(","),
            let day = Int(words[1]), (1...31).contains(day),
            let month = Self.months.firstIndex(where: { $0 == words[2] }),
            let year = Int(words[3]), (1970...9999).contains(year)
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3, (0..<24).contains(clock[0]), (0..<60).contains(clock[1]), (0...60).contains(clock[2])
        else { return nil }
        let seconds =
            Self.days(year: year, month: month + 1, day: day) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
        let (nanoseconds, overflow) = UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return nil }
        self.init(nanoseconds: nanoseconds)
    }

    /// Days from 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is a year's last.
    private static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let month = month <= 2 ? month + 9 : month - 3
        return year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
    }
}
