/// A number of bytes.
package struct ByteCount: Hashable, Comparable, Sendable {
    /// The number itself.
    ///
    /// Never negative.
    package let bytes: Int

    package init(bytes: Int) {
        precondition(bytes >= 0, "a byte count is never negative")
        self.bytes = bytes
    }

    /// 1024 bytes each.
    package static func kibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 10) }
    /// 1024 KiB each.
    package static func mebibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 20) }
    /// 1024 MiB each.
    package static func gibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 30) }

    package static func < (lhs: ByteCount, rhs: ByteCount) -> Bool { lhs.bytes < rhs.bytes }
}

extension ByteCount: CustomStringConvertible {
    private static let units: [(name: String, bytes: Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// The forms that `init(text:)` reads, for messages.
    package static let form = #"a size with a unit, such as "512KiB", "64MiB" or "2GiB""#

    /// Reads a whole number directly followed by B, KiB, MiB, GiB or TiB; nil for anything else.
    package init?(text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let unit = text[digits.endIndex...]
        guard let count = Int(digits), let size = Self.units.first(where: { $0.name == unit })?.bytes else {
            return nil
        }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { return nil }
        self.init(bytes: bytes)
    }

    /// The same count with the largest unit that divides it, in the form `init(text:)` reads.
    package var description: String {
        let unit = Self.units.first { bytes >= $0.bytes && bytes % $0.bytes == 0 } ?? ("B", 1)
        return "\(bytes / unit.bytes)\(unit.name)"
    }
}
