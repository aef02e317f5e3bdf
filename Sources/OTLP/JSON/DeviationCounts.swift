/// What a request wrote otherwise than the specification asks, and was read all the same.
package struct DeviationCounts: Sendable, Equatable {
    /// Ids in base64, as plain protobuf JSON writes them.
    package var base64ID = 0
    /// Enum values by name.
    package var enumName = 0
    /// Member names in snake case.
    package var snakeCase = 0
    /// Integers that no 64 bits hold, or with a fraction, read as doubles.
    package var wideInteger = 0
    /// Bodies whose coding is named `x-gzip`.
    package var xGzip = 0
    /// Bodies whose coding is named `x-zstd`.
    package var xZstd = 0

    package init() {}

    package var isEmpty: Bool { self == DeviationCounts() }

    /// Each deviation that occurred, by the name that metrics give it.
    package var byName: [(name: String, count: Int)] {
        [
            ("base64_id", base64ID), ("enum_name", enumName), ("snake_case", snakeCase), ("wide_integer", wideInteger),
            ("x_gzip", xGzip), ("x_zstd", xZstd),
        ].filter { $0.1 > 0 }
    }
}
