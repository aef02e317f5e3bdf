/// What requests say of who sends them (exporter specification, "User Agent": a distribution prepends its product).
package enum UserAgent {
    /// The version of Millrace.
    package static let version = "0.1.0"
    /// The value of the `User-Agent` header.
    package static let text = "Millrace/\(version) OTel-OTLP-Exporter-Swift/\(version)"
}
