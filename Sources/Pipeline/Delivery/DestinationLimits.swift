package import Basics
package import Settings

/// What a destination takes, as it says itself.
package struct DestinationLimits: Sendable, Equatable {
    /// Bytes of a request before compression; nil for as many as `batch` allows.
    package var bytes: ByteCount?
    /// Items in a request; nil for as many as `batch` allows.
    package var items: Int?
    /// How long ago a span may have ended; nil for any time.
    package var age: Duration?

    package init() {}
}

extension Shape<DestinationLimits> {
    /// The settings in the pipeline file.
    package static let destinationLimits = Shape(
        "What a destination takes.",
        DestinationLimits(),
        [
            Field(
                "bytes",
                optional: \.bytes,
                .size(.kibibytes(1)...),
                "Bytes of a request, before compression: `batch` gives no larger one, and a trace that is larger is divided. A single span may be larger."
            ),
            Field("spans", optional: \.items, .integer(1...1_000_000), "Spans in a request."),
            Field(
                "age",
                optional: \.age,
                .duration(.seconds(60) ... .seconds(3650 * 86400)),
                "How long ago a span may have ended: older ones are not sent, and count as expired."
            ),
            .unavailable("value_bytes"),
        ]
    )
}

extension BatchLimits {
    /// The same within what a destination takes.
    package func within(_ limits: DestinationLimits) -> BatchLimits {
        var batch = self
        if let items = limits.items { batch.items = min(batch.items, items) }
        if let bytes = limits.bytes { batch.bytes = min(batch.bytes, bytes) }
        batch.dividesTraces = limits.items != nil || limits.bytes != nil
        return batch
    }
}
