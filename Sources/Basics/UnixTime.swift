import CMachine
import Glibc

/// A moment of wall-clock time: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
package struct UnixTime: Hashable, Comparable, Sendable {
    /// Nanoseconds since the epoch.
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (lhs: UnixTime, rhs: UnixTime) -> Bool { lhs.nanoseconds < rhs.nanoseconds }

    /// The time from `earlier` to this moment; negative where the clock went back.
    package func since(_ earlier: UnixTime) -> Duration {
        .nanoseconds(Int64(clamping: nanoseconds)) - .nanoseconds(Int64(clamping: earlier.nanoseconds))
    }

    /// The moment so much before this one; the epoch where there is none.
    package func earlier(by duration: Duration) -> UnixTime {
        let (sum, isBefore) = nanoseconds.subtractingReportingOverflow(UInt64(clamping: duration.wholeNanoseconds))
        return UnixTime(nanoseconds: isBefore ? 0 : sum)
    }

    /// RFC 3339 in UTC with whole seconds, such as `2026-11-22T10:00:00Z`.
    package var text: String {
        var seconds = time_t(nanoseconds / 1_000_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ value: Int32, _ width: Int = 2) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
        return "\(date)T\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))Z"
    }
}

/// Where wall-clock time comes from; tests pass one they can set.
package struct WallClock: Sendable {
    /// Reads the clock; callable on any thread.
    package let now: @Sendable () -> UnixTime
    /// Reads the time since the machine started, suspension included, which nobody sets; callable on any thread.
    package let sinceBoot: @Sendable () -> Duration

    /// - Parameters:
    ///   - now: Reads the clock.
    ///   - sinceBoot: Reads the time since the machine started; nil for one that goes with the clock, so that nobody sets that.
    package init(now: @escaping @Sendable () -> UnixTime, sinceBoot: (@Sendable () -> Duration)? = nil) {
        self.now = now
        self.sinceBoot = sinceBoot ?? { .nanoseconds(Int64(clamping: now().nanoseconds)) }
    }

    /// The machine's clock.
    package static let system = WallClock(
        now: { UnixTime(nanoseconds: millrace_wall_nanoseconds()) },
        sinceBoot: { .nanoseconds(Int64(clamping: millrace_boot_nanoseconds())) }
    )
}
