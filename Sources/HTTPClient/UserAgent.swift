import Basics

/// What requests say of who sends them (exporter specification, "User Agent": a distribution prepends its product).
package enum UserAgent {
    /// The value of the `User-Agent` header.
    package static let text = "Millrace/\(Product.version) OTel-OTLP-Exporter-Swift/\(Product.version)"
}
