extension Duration {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1000), ("ns", 1),
    ]

    /// The forms that `init(text:)` reads, for messages.
    package static let form = #"a duration with a unit, such as "200ms", "30s", "10m" or "24h""#

    /// Reads a whole number directly followed by ns, us, ms, s, m or h; nil for anything else.
    package init?(text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text[digits.endIndex...]
        guard let count = Int64(digits), let size = Self.units.first(where: { $0.name == unit })?.nanoseconds else {
            return nil
        }
        let (nanoseconds, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { return nil }
        self = .nanoseconds(nanoseconds)
    }

    /// The same duration with the largest unit that divides it, in the form `init(text:)` reads; "0s" for none.
    package var text: String {
        let nanoseconds = wholeNanoseconds
        if nanoseconds == 0 { return "0s" }
        let unit = Self.units.first { abs(nanoseconds) >= $0.nanoseconds && nanoseconds % $0.nanoseconds == 0 }
        return "\(nanoseconds / (unit?.nanoseconds ?? 1))\(unit?.name ?? "ns")"
    }

    /// Nanoseconds, clamped to what 64 bits hold (292 years).
    package var wholeNanoseconds: Int64 {
        let (whole, overflow) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (components.seconds < 0 ? .min : .max) : whole + components.attoseconds / 1_000_000_000
    }

    /// Seconds, for display and metrics.
    package var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
