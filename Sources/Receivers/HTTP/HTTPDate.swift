import Basics

/// The `Date` header's value, made once a second.
struct HTTPDate {
    private var second: UInt64 = .max
    private var text = ""

    /// RFC 9110 section 5.6.7, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    mutating func text(at time: UnixTime) -> String {
        let now = time.nanoseconds / 1_000_000_000
        if now != second {
            second = now
            text = Self.format(now)
        }
        return text
    }

    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func format(_ seconds: UInt64) -> String {
        let (dayNumber, time) = seconds.quotientAndRemainder(dividingBy: 86_400)
        let (year, month, day) = civil(Int(dayNumber))
        let clock = "\(padded(time / 3600)):\(padded(time / 60 % 60)):\(padded(time % 60))"
        return "\(days[Int(dayNumber % 7)]), \(padded(UInt64(day))) \(months[month - 1]) \(year) \(clock) GMT"
    }

    /// The Gregorian date of a day counted from 1970-01-01, over years that begin in March so that a leap day comes last.
    private static func civil(_ dayNumber: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = (dayNumber + 719_468).quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
    }

    private static func padded(_ value: UInt64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
